// Elements for what a message offers besides its text.
import type { Card, Choice, Medium } from './answer'
import { button, el } from './dom'

/** What happens when someone chooses; null where nobody may: then choices are only shown. */
export type OnChoice = ((choice: Choice) => void) | null

const beside = { target: '_blank', rel: 'noopener noreferrer' }

/** Buttons that say something, which go when they are out of date, and links, which stay. */
export interface Choices {
  readonly element: HTMLElement | null
  readonly passing: readonly HTMLElement[]
}

export function drawChoices(choices: readonly Choice[], choose: OnChoice): Choices {
  if (choices.length === 0) return { element: null, passing: [] }
  const drawn = choices.map((choice) => [choice, drawChoice(choice, choose)] as const)
  const says = drawn.filter(([{ link }]) => link === null).map(([, element]) => element)
  const element = el('div', { class: 'choices', role: 'group', 'aria-label': 'Answers' }, ...drawn.map(([, one]) => one))
  // A group that is empty is none.
  return { element, passing: choose === null ? [] : says.length === drawn.length ? [element] : says }
}

function drawChoice(choice: Choice, choose: OnChoice): HTMLElement {
  if (choose === null) return el('span', { class: 'choice' }, choice.title)
  if (choice.link === null) return button(choice.title, { class: 'choice' }, () => { choose(choice) })
  const outside = choice.link.startsWith('tel:') ? {} : beside
  return el('a', { class: 'choice', href: choice.link, ...outside }, choice.title)
}

/** Cards in a row that scrolls, by keyboard, too. Their buttons stay while the conversation goes on. */
export function drawCards(cards: readonly Card[], label: string, choose: OnChoice): { element: HTMLElement; passing: readonly HTMLElement[] } {
  const passing: HTMLElement[] = []
  const items = cards.map(({ title, subtitle, image, choices }) => {
    const below = drawChoices(choices, choose)
    passing.push(...below.passing)
    return el(
      'li',
      { class: 'card' },
      ...(image === null ? [] : [picture(image, '', (broken) => { broken.remove() })]), // the title says what it shows
      ...(title === '' ? [] : [el('strong', { dir: 'auto' }, title)]),
      ...(subtitle === '' ? [] : [el('span', { class: 'subtitle', dir: 'auto' }, subtitle)]),
      ...(below.element ? [below.element] : []),
    )
  })
  return { element: el('ul', { class: 'cards', role: 'list', tabindex: '0', 'aria-label': label || 'Cards' }, ...items), passing }
}

/** Nothing plays by itself, and nothing is loaded before it is in view or asked for. What cannot be shown is a link. */
export function drawMedium({ kind, url, description }: Medium): HTMLElement {
  const label = description || fileName(url)
  const link = el('a', { class: 'document', href: url, dir: 'auto', ...beside }, label)
  switch (kind) {
    case 'document':
      return link
    case 'image':
      return picture(url, description || 'Picture', (broken) => { broken.replaceWith(link) })
    default: {
      const player = el(kind, { class: 'medium', controls: true, preload: 'none', src: url, 'aria-label': label, ...(kind === 'video' ? { playsinline: true } : {}) })
      player.addEventListener('error', () => { player.replaceWith(link) })
      return player
    }
  }
}

function picture(src: string, alt: string, onBroken: (image: HTMLImageElement) => void): HTMLImageElement {
  const image = el('img', { class: 'medium', loading: 'lazy', alt, src }) // `loading` before `src`, or it would load at once
  image.addEventListener('error', () => { onBroken(image) })
  return image
}

const fileName = (url: string): string => decoded(new URL(url).pathname.split('/').pop() ?? '') || new URL(url).host

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
