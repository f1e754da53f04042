/** Where a customer came from; what is not known is left out. */
export interface Campaign {
  readonly id?: string
  readonly source?: string
  readonly medium?: string
  readonly name?: string
  readonly content?: string
  readonly term?: string
}

/** The hub keeps 255 bytes; this many characters are enough for it, and bound what a link can make a page send. */
const KEPT = 255

const PARAMETERS = { id: 'utm_id', source: 'utm_source', medium: 'utm_medium', name: 'utm_campaign', content: 'utm_content', term: 'utm_term' } as const

/** The campaign in the UTM parameters of the first address that has some; null without. */
export function campaignOf(...addresses: string[]): Campaign | null {
  for (const address of addresses) {
    const query = URL.parse(address)?.searchParams
    if (!query) continue
    const found = Object.entries(PARAMETERS).flatMap(([member, parameter]) => {
      const value = (query.get(parameter) ?? '').replace(/[\u0000-\u001f\u007f]/g, ' ').trim().slice(0, KEPT)
      return value === '' ? [] : [[member, value] as const]
    })
    if (found.length > 0) return Object.fromEntries(found)
  }
  return null
}
