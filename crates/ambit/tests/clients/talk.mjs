// How an application talks with the test that runs it: a line of JSON each way. The test plays the person and their browser.
import { createInterface } from 'node:readline'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

async function line() {
  const { value, done } = await lines.next()
  if (done) throw new Error('the test has gone')
  return JSON.parse(value)
}

/** What the application was registered as, and where. */
export const registered = await line()

/** Sends the person's browser somewhere. Answers the address, elsewhere than at the server, to which it came back. */
export async function visit(address, answer = 'allow') {
  console.log(JSON.stringify({ visit: String(address), answer }))
  return new URL(await line())
}

/** What the library makes of something that must fail. */
export async function refused(attempt) {
  try {
    await attempt()
  } catch (error) {
    // What was wrong is said by the inner library, where there is one.
    const message = error.cause instanceof Error ? error.cause.message : error.message
    // Where the answer has a challenge, the library stops there: the body is left to the application.
    const body = error.name === 'WWWAuthenticateChallengeError' ? await error.response.json() : {}
    return {
      kind: error.name,
      error: error.error ?? body.error ?? body.type ?? error.code ?? null,
      description: error.error_description ?? body.error_description ?? body.detail ?? message,
      status: error.status ?? null,
    }
  }
  throw new Error('it was not refused')
}

/** Attempts something while somebody on the way spoils the signatures of ID tokens. */
export async function spoiling(attempt) {
  const honest = globalThis.fetch
  globalThis.fetch = async (...request) => {
    const response = await honest(...request)
    const body = await response.clone().json()
    if (!body.id_token) return response
    const [header, claims, signature] = body.id_token.split('.')
    const spoilt = (signature[0] === 'A' ? 'B' : 'A') + signature.slice(1)
    return Response.json({ ...body, id_token: [header, claims, spoilt].join('.') })
  }
  try {
    return await attempt()
  } finally {
    globalThis.fetch = honest
  }
}

/** Tells the test what was seen. Nothing follows. */
export function finish(seen) {
  console.log(JSON.stringify({ seen }))
  process.exit(0)
}
