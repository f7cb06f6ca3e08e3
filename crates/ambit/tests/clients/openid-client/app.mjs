// An application that signs people in with openid-client.
import * as client from 'openid-client'
import { finish, refused, registered, spoiling, visit } from './talk.mjs'

const { issuer, other_issuer, client_id, client_secret, redirect_uri, after_logout, scope } = registered
const authentication = client_secret ? client.ClientSecretBasic(client_secret) : client.None()
const config = await client.discovery(new URL(issuer), client_id, undefined, authentication)
// Signatures are checked by the server's published keys, not trusted for the connection's sake.
client.enableNonRepudiationChecks(config)

/** What the application keeps in the person's session while they are away. */
async function started(parameters = {}) {
  const code_verifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const nonce = client.randomNonce()
  const address = client.buildAuthorizationUrl(config, {
    redirect_uri,
    scope,
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(code_verifier),
    code_challenge_method: 'S256',
    ...parameters,
  })
  return { address, code_verifier, state, nonce }
}

function redeemed(callback, { code_verifier, state, nonce }) {
  return client.authorizationCodeGrant(config, callback, {
    pkceCodeVerifier: code_verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  })
}

async function signedIn(parameters) {
  const session = await started(parameters)
  return redeemed(await visit(session.address), session)
}

const seen = { issuer: config.serverMetadata().issuer, pkce: config.serverMetadata().supportsPKCE() }

// Somebody signs in, and the application acts for them.
const tokens = await signedIn()
const claims = tokens.claims()
seen.scope = tokens.scope
seen.lifetime = tokens.expiresIn()
seen.claims = claims
seen.alg = JSON.parse(Buffer.from(tokens.id_token.split('.')[0], 'base64url')).alg
seen.userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub)
if (client_secret) {
  seen.introspected = await client.tokenIntrospection(config, tokens.access_token)
} else {
  seen.introspected = await refused(() => client.tokenIntrospection(config, tokens.access_token))
}

// It renews, and keeps the newest refresh token. An older one, used once more, ends the grant.
const second = await client.refreshTokenGrant(config, tokens.refresh_token)
const third = await client.refreshTokenGrant(config, second.refresh_token)
seen.rotated = new Set([tokens, second, third].map((it) => it.refresh_token)).size === 3
seen.renewed = { scope: third.scope, sub: (await client.fetchUserInfo(config, third.access_token, claims.sub)).sub }
seen.replayed = await refused(() => client.refreshTokenGrant(config, tokens.refresh_token))
seen.after_replay = await refused(() => client.refreshTokenGrant(config, third.refresh_token))
seen.userinfo_after_replay = await refused(() => client.fetchUserInfo(config, third.access_token, claims.sub))

// Signed in still, nobody is asked again. A code is good once.
const session = await started({ prompt: 'none' })
const callback = await visit(session.address)
const again = await redeemed(callback, session)
seen.same_person = again.claims().sub === claims.sub
seen.code_reused = await refused(() => redeemed(callback, session))
seen.after_code_reuse = await refused(() => client.refreshTokenGrant(config, again.refresh_token))

// What is given back is good no longer.
const given = await signedIn()
await client.tokenRevocation(config, given.refresh_token)
seen.revoked = await refused(() => client.refreshTokenGrant(config, given.refresh_token))
if (client_secret) seen.introspected_after = await client.tokenIntrospection(config, given.access_token)

// What an application has to notice.
const denied = await started({ prompt: 'consent' })
seen.denied = await refused(async () => redeemed(await visit(denied.address, 'deny'), denied))
const beyond = await started({ scope: 'openid nobody.knows' })
seen.beyond = await refused(async () => redeemed(await visit(beyond.address), beyond))
const forged = await started()
const back = await visit(forged.address)
seen.wrong_state = await refused(() => redeemed(back, { ...forged, state: 'another' }))
const mixed_up = new URL(back)
mixed_up.searchParams.set('iss', other_issuer)
seen.wrong_issuer = await refused(() => redeemed(mixed_up, forged))
seen.wrong_verifier = await refused(() => redeemed(back, { ...forged, code_verifier: client.randomPKCECodeVerifier() }))
const replaced = await started()
seen.wrong_nonce = await refused(async () => redeemed(await visit(replaced.address), { ...replaced, nonce: 'another' }))
seen.wrong_signature = await refused(() => spoiling(() => signedIn()))
seen.not_its_grant = await refused(() => client.genericGrantRequest(config, 'client_credentials', { scope: 'openid' }))
const elsewhere = await client.discovery(new URL(other_issuer), client_id, undefined, authentication)
seen.wrong_door = await refused(() => client.refreshTokenGrant(elsewhere, 'any'))
if (client_secret) {
  const guessing = client.ClientSecretBasic('not-the-secret-of-this-client-0123456789')
  const stranger = await client.discovery(new URL(issuer), client_id, undefined, guessing)
  seen.wrong_secret = await refused(() => client.refreshTokenGrant(stranger, 'any'))
}

// They sign out, of the application and of the server.
const last = await signedIn()
const leave = client.buildEndSessionUrl(config, {
  id_token_hint: last.id_token,
  post_logout_redirect_uri: after_logout,
  state: 'left',
})
seen.left_for = String(await visit(leave))
const quietly = await started({ prompt: 'none' })
seen.after_logout = await refused(async () => redeemed(await visit(quietly.address), quietly))

finish(seen)
