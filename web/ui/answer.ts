// What a message offers besides its text: choices, cards and media. Programs write it, so nothing in it is taken on trust.
import { isFields, optionalText, type Attachment, type Message } from '../client/src/wire'
import { dial, linkTo, mediumAt } from './links'

type Fields = Readonly<Record<string, unknown>>

/** A button below an answer. */
export interface Choice {
  readonly id: string
  readonly title: string
  /** Where it leads; null if it says its title, or what that stands for. */
  readonly link: string | null
}

export interface Card {
  readonly title: string
  readonly subtitle: string
  /** Of a picture; null if there is none. */
  readonly image: string | null
  readonly choices: readonly Choice[]
}

export interface Medium {
  readonly kind: 'image' | 'video' | 'audio' | 'document'
  readonly url: string
  /** What it shows, for those who cannot see it; empty if nobody said. */
  readonly description: string
}

const objects = (value: unknown): Fields[] => (Array.isArray(value) ? value.filter(isFields) : [])

/** The choices of a quick reply, or the actions of a card that say what they are for. What leads nowhere that a link may lead to is left out. */
export function choicesOf(items: unknown): Choice[] {
  return objects(items).flatMap((item): Choice[] => {
    const [id, title] = [optionalText(item, 'id'), optionalText(item, 'title')]
    const action: Fields = objects(item.actions)[0] ?? item
    if (title === '') return []
    switch (optionalText(action, 'type')) {
      case 'url':
        return leading(id, title, linkTo(optionalText(action, 'url')))
      case 'phone':
        return leading(id, title, dial(optionalText(action, 'number')))
      default:
        return [{ id, title, link: null }]
    }
  })
}

const leading = (id: string, title: string, link: string | null): Choice[] => (link === null ? [] : [{ id, title, link }])

/**
 * The items of a list picker as cards. The actions of the hub's own bots are buttons, with a title; for other programs
 * an item is itself what is chosen, and its one action only says that.
 */
export function cardsOf({ json }: Message, own?: string): { title: string; cards: Card[] } {
  const sections = objects(json.sections ?? (isFields(json.list) ? json.list.sections : undefined))
  const cards = sections.flatMap((section) => objects(section.items)).flatMap((item): Card[] => {
    const title = optionalText(item, 'title')
    const choices = choicesOf(item.actions)
    const itself = choices.length === 0 && objects(item.actions).some((action) => optionalText(action, 'type') === 'postback')
    if (title === '') return []
    return [{
      title: itself ? '' : title,
      subtitle: optionalText(item, 'subtitle'),
      image: mediumAt(optionalText(item, 'image'), own),
      choices: itself ? choicesOf([item]) : choices,
    }]
  })
  return { title: optionalText(json, 'title') || (sections.map((s) => optionalText(s, 'title')).find(Boolean) ?? ''), cards }
}

const endings: readonly (readonly [Medium['kind'], RegExp])[] = [
  ['image', /\.(png|jpe?g|gif|webp|avif|svg|bmp)$/i],
  ['video', /\.(mp4|m4v|webm|mov|ogv)$/i],
  ['audio', /\.(mp3|m4a|aac|oga|ogg|opus|wav|flac)$/i],
]

/** A bot's medium comes without its type: then the end of its address has to tell, and what tells nothing is a document. */
function kindOf({ contentType }: Attachment, url: string): Medium['kind'] {
  const said = /^(image|video|audio)\//.exec(contentType)?.[1] as Medium['kind'] | undefined
  if (contentType !== '') return said ?? 'document'
  return endings.find(([, ending]) => ending.test(new URL(url).pathname))?.[0] ?? 'document'
}

export function mediaOf({ attachments }: Message, own?: string): Medium[] {
  return attachments.flatMap((attachment) => {
    const url = mediumAt(attachment.url, own)
    return url === null ? [] : [{ kind: kindOf(attachment, url), url, description: attachment.name }]
  })
}
