// Code generated from ws/close.go. DO NOT EDIT.

/** What a client does about a close code of the hub. */
export interface CloseCode {
  readonly name: string
  /** Whether to connect again by itself, after the usual wait. */
  readonly comeBack: boolean
  /** Whether a new token must be fetched before connecting again; the old one will not be taken. */
  readonly newToken: boolean
}

export const closeCodes: Readonly<Record<number, CloseCode>> = {
  1000: { name: 'normal', comeBack: false, newToken: false },
  1001: { name: 'going away', comeBack: true, newToken: false },
  1008: { name: 'policy', comeBack: false, newToken: false },
  1009: { name: 'too big', comeBack: false, newToken: false },
  1011: { name: 'internal', comeBack: true, newToken: false },
  1012: { name: 'restart', comeBack: true, newToken: false },
  4400: { name: 'bad protocol', comeBack: false, newToken: false },
  4401: { name: 'token refused', comeBack: false, newToken: true },
  4403: { name: 'forbidden', comeBack: false, newToken: false },
  4408: { name: 'too slow', comeBack: true, newToken: false },
  4409: { name: 'too many sessions', comeBack: false, newToken: false },
  4410: { name: 'token expired', comeBack: false, newToken: true },
  4429: { name: 'rate', comeBack: true, newToken: false },
}
