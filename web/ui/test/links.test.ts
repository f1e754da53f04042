import { expect, it } from 'vitest'
import { dial, linkTo, mediumAt } from '../links'

it.each([
  ['https://shop.example/a b', 'https://shop.example/a%20b'],
  ['http://shop.example/', 'http://shop.example/'],
  ['mailto:help@shop.example', 'mailto:help@shop.example'],
  ['tel:+4930123', 'tel:+4930123'],
  [' JavaScript:alert(1)', null],
  ['java\nscript:alert(1)', null],
  ['data:text/html,<script>alert(1)</script>', null],
  ['vbscript:x', null],
  ['blob:https://shop.example/1', null],
  ['//shop.example/', null],
  ['/admin', null],
  ['', null],
])('a link may lead to pages, mail and telephones: %j', (address, want) => {
  expect(linkTo(address)).toBe(want)
})

it.each([
  ['https://shop.example/map.png', 'https://shop.example/map.png'],
  ['http://hub.local:8080/assets/1', 'http://hub.local:8080/assets/1'],
  ['http://hub.local/assets/1', null], // another port is another origin
  ['http://shop.example/map.png', null],
  ['javascript:alert(1)', null],
  ['data:image/svg+xml,<svg/>', null],
  ['map.png', null],
])('media come by https, or from the hub itself: %j', (address, want) => {
  expect(mediumAt(address, 'http://hub.local:8080')).toBe(want)
})

it.each([
  ['+49 30 123-4567', 'tel:+49301234567'],
  ['*100#', 'tel:*100%23'],
  ['javascript:alert', null],
  ['', null],
])('a number is dialled without what stands between: %j', (number, want) => {
  expect(dial(number)).toBe(want)
})
