// The one place where markup from messages becomes elements. Nothing of it is used as it came: it is read by the
// browser's own parser into a document that runs and loads nothing, and what is known to be harmless is built anew.
import { linkTo } from './links'

/** Elements that are kept, without their attributes. */
const kept = new Set([
  'b', 'strong', 'i', 'em', 'u', 's', 'del', 'ins', 'mark', 'small', 'sub', 'sup', 'code', 'pre', 'q', 'br', 'hr',
  'p', 'div', 'blockquote', 'ul', 'ol', 'li', 'dl', 'dt', 'dd', 'table', 'caption', 'thead', 'tbody', 'tfoot', 'tr', 'th', 'td',
])
/** Headings would disturb the outline of the page. */
const headings = /^h[1-6]$/
/** Elements whose content is no text for people. Of others that are unknown the content stays. */
const dropped = new Set(['script', 'style', 'template', 'noscript', 'head', 'title', 'iframe', 'object', 'embed', 'svg', 'math', 'select', 'textarea', 'audio', 'video', 'canvas'])

/** Simple markup as elements of this page. Links open beside it. */
export function sanitised(html: string): DocumentFragment {
  return harmless(new DOMParser().parseFromString(html, 'text/html').body)
}

function harmless(from: Node): DocumentFragment {
  const out = document.createDocumentFragment()
  for (const node of from.childNodes) {
    if (node instanceof Text) out.append(node.data)
    else if (node instanceof Element) out.append(rebuilt(node))
  }
  return out
}

function rebuilt(element: Element): Node {
  const name = element.localName
  if (dropped.has(name)) return document.createDocumentFragment()
  const children = harmless(element)
  if (name === 'a') return link(element, children)
  if (headings.test(name)) return wrapped('p', wrapped('strong', children))
  return kept.has(name) ? wrapped(name, children) : children
}

function wrapped(name: string, children: Node): HTMLElement {
  const element = document.createElement(name)
  element.append(children)
  return element
}

function link(from: Element, children: DocumentFragment): Node {
  const to = linkTo(from.getAttribute('href') ?? '')
  if (to === null) return children
  const element = wrapped('a', children)
  element.setAttribute('href', to)
  element.setAttribute('target', '_blank')
  element.setAttribute('rel', 'noopener noreferrer')
  return element
}
