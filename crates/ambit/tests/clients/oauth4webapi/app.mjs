// An application that signs people in with oauth4webapi, step by step, and an API that takes its tokens.
import * as oauth from 'oauth4webapi'
import { finish, refused, registered, spoiling, visit } from './talk.mjs'

const { issuer, other_issuer, client_id, client_secret, redirect_uri, after_logout, scope, api } = registered
const authentication = client_secret ? oauth.ClientSecretBasic(client_secret) : oauth.None()
const client = { client_id }

async function discovered(identifier) {
  const url = new URL(identifier)
  return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url))
}
const as = await discovered(issuer)

async function started(parameters = {}) {
  const code_verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  const address = new URL(as.authorization_endpoint)
  for (const [name, value] of Object.entries({
    client_id,
    redirect_uri,
    response_type: 'code',
    scope,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(code_verifier),
    code_challenge_method: 'S256',
    ...parameters,
  })) {
    address.searchParams.set(name, value)
  }
  return { address, code_verifier, state, nonce }
}

async function redeemed(callback, { code_verifier, state, nonce }) {
  const parameters = oauth.validateAuthResponse(as, client, callback, state)
  const response = await oauth.authorizationCodeGrantRequest(
    as,
    client,
    authentication,
    parameters,
    redirect_uri,
    code_verifier,
  )
  const checks = { expectedNonce: nonce, requireIdToken: true }
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, checks)
  await oauth.validateApplicationLevelSignature(as, response)
  return { ...tokens, claims: oauth.getValidatedIdTokenClaims(tokens) }
}

async function signedIn(parameters) {
  const session = await started(parameters)
  return redeemed(await visit(session.address), session)
}

async function renewed(refresh_token, at = as, by = authentication) {
  const response = await oauth.refreshTokenGrantRequest(at, client, by, refresh_token)
  return oauth.processRefreshTokenResponse(at, client, response)
}

async function userinfo(access_token, subject) {
  const response = await oauth.userInfoRequest(as, client, access_token)
  return oauth.processUserInfoResponse(as, client, subject, response)
}

async function introspected(token) {
  const response = await oauth.introspectionRequest(as, client, authentication, token)
  return oauth.processIntrospectionResponse(as, client, response)
}

const seen = { issuer: as.issuer, pkce: as.code_challenge_methods_supported.includes('S256') }

// Somebody signs in, and the application acts for them.
const tokens = await signedIn()
seen.scope = tokens.scope
seen.lifetime = tokens.expires_in
seen.claims = tokens.claims
seen.alg = JSON.parse(Buffer.from(tokens.id_token.split('.')[0], 'base64url')).alg
seen.userinfo = await userinfo(tokens.access_token, tokens.claims.sub)
seen.introspected = client_secret
  ? await introspected(tokens.access_token)
  : await refused(() => introspected(tokens.access_token))

// What is told about somebody can be had signed, too.
const signing = { ...client, userinfo_signed_response_alg: seen.alg }
const signed = await oauth.userInfoRequest(as, signing, tokens.access_token)
const told = await oauth.processUserInfoResponse(as, signing, tokens.claims.sub, signed)
await oauth.validateApplicationLevelSignature(as, signed)
seen.signed_userinfo = told.sub === tokens.claims.sub

// The API checks the token by itself (RFC 9068).
const call = (token) => new Request(`${api}/orders`, { headers: { authorization: `Bearer ${token}` } })
const allowed = await oauth.validateJwtAccessToken(as, call(tokens.access_token), api)
seen.at_the_api = { scope: allowed.scope, sub: allowed.sub, client_id: allowed.client_id }
seen.id_token_at_the_api = await refused(() => oauth.validateJwtAccessToken(as, call(tokens.id_token), api))

// It renews, and keeps the newest refresh token. An older one, used once more, ends the grant.
const second = await renewed(tokens.refresh_token)
const third = await renewed(second.refresh_token)
seen.rotated = new Set([tokens, second, third].map((it) => it.refresh_token)).size === 3
seen.renewed = { scope: third.scope, sub: (await userinfo(third.access_token, tokens.claims.sub)).sub }
seen.replayed = await refused(() => renewed(tokens.refresh_token))
seen.after_replay = await refused(() => renewed(third.refresh_token))
seen.userinfo_after_replay = await refused(() => userinfo(third.access_token, tokens.claims.sub))

// Signed in still, nobody is asked again. A code is good once.
const session = await started({ prompt: 'none' })
const callback = await visit(session.address)
const again = await redeemed(callback, session)
seen.same_person = again.claims.sub === tokens.claims.sub
seen.code_reused = await refused(() => redeemed(callback, session))
seen.after_code_reuse = await refused(() => renewed(again.refresh_token))

// What is given back is good no longer.
const given = await signedIn()
await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, authentication, given.refresh_token))
seen.revoked = await refused(() => renewed(given.refresh_token))
if (client_secret) seen.introspected_after = await introspected(given.access_token)

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
seen.wrong_verifier = await refused(() => redeemed(back, { ...forged, code_verifier: oauth.generateRandomCodeVerifier() }))
const replaced = await started()
seen.wrong_nonce = await refused(async () => redeemed(await visit(replaced.address), { ...replaced, nonce: 'another' }))
seen.wrong_signature = await refused(() => spoiling(() => signedIn()))
seen.not_its_grant = await refused(async () => {
  const parameters = new URLSearchParams({ scope: 'openid' })
  const response = await oauth.clientCredentialsGrantRequest(as, client, authentication, parameters)
  return oauth.processClientCredentialsResponse(as, client, response)
})
const elsewhere = await discovered(other_issuer)
seen.wrong_door = await refused(() => renewed('any', elsewhere))
if (client_secret) {
  const guessing = oauth.ClientSecretBasic('not-the-secret-of-this-client-0123456789')
  seen.wrong_secret = await refused(() => renewed('any', as, guessing))
}

// They sign out, of the application and of the server.
const last = await signedIn()
const leave = new URL(as.end_session_endpoint)
leave.searchParams.set('id_token_hint', last.id_token)
leave.searchParams.set('post_logout_redirect_uri', after_logout)
leave.searchParams.set('state', 'left')
seen.left_for = String(await visit(leave))
const quietly = await started({ prompt: 'none' })
seen.after_logout = await refused(async () => redeemed(await visit(quietly.address), quietly))

finish(seen)
