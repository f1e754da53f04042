/** Nobody will give a token by waiting longer: someone has to sign in. */
export class NoToken extends Error {
  override readonly name = 'NoToken'
}

/** The connection went away before the answer. What was asked may have happened. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

/** The hub said no, with the code of its error table. */
export class Refused extends Error {
  override readonly name = 'Refused'
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message || code)
  }

  /** The hub is busy or has a fault: the same message may be taken later. Codes begin with their HTTP status. */
  get temporary(): boolean {
    return /^(429|5\d\d)-/.test(this.code)
  }
}
