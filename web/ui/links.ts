// Addresses that come with messages: whoever wrote them may be anyone.

/** This page's own origin, where the hub serves files; empty where there is no page. */
const here = typeof location === 'undefined' ? '' : location.origin

function parsed(address: string): URL | null {
  try {
    return new URL(address.trim()) // absolute ones only: a relative one would lead into the hub
  } catch {
    return null
  }
}

/** What a link may lead to: pages, mail and telephones. Null for everything else, scripts above all. */
export function linkTo(address: string): string | null {
  const url = parsed(address)
  return url && ['https:', 'http:', 'mailto:', 'tel:'].includes(url.protocol) ? url.href : null
}

/** Where a picture, a film, a sound or a document may come from: https, or the hub itself wherever that is. */
export function mediumAt(address: string, own: string = here): string | null {
  const url = parsed(address)
  return url && (url.protocol === 'https:' || (own !== '' && url.origin === own)) ? url.href : null
}

/** A link that dials; null if there is nothing to dial. */
export function dial(number: string): string | null {
  const dialled = number.replace(/[^\d+*#]/g, '')
  return /\d/.test(dialled) ? `tel:${dialled.replace(/#/g, '%23')}` : null
}
