"""An application that signs people in with Authlib and Flask."""

import base64
import json
import sys
from urllib.parse import parse_qsl, urlencode, urlsplit

from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask, abort, redirect, request, session, url_for
from joserfc.errors import JoseError
from requests import HTTPError

registered = json.loads(sys.stdin.readline())
issuer = registered["issuer"]
client_id = registered["client_id"]
client_secret = registered.get("client_secret")

app = Flask(__name__)
app.secret_key = "signs the cookie of this application alone"
oauth = OAuth(app)
ambit = oauth.register(
    "ambit",
    client_id=client_id,
    client_secret=client_secret,
    server_metadata_url=f"{issuer}/.well-known/openid-configuration",
    client_kwargs={
        "scope": registered["scope"],
        "code_challenge_method": "S256",
        "token_endpoint_auth_method": "client_secret_basic" if client_secret else "none",
    },
)


@app.get("/login")
def login():
    # A test adds parameters; an application has none of its own here.
    return ambit.authorize_redirect(url_for("callback", _external=True), **request.args)


@app.get("/cb")
def callback():
    # Authlib leaves RFC 9207 to the application: the answer must be this issuer's.
    if request.args.get("iss") != ambit.load_server_metadata()["issuer"]:
        abort(400, "the answer is another server's")
    token = ambit.authorize_access_token()
    session["sub"] = token["userinfo"]["sub"]
    keep(token)
    return redirect("/")


@app.get("/logout")
def logout():
    session.clear()
    return ambit.logout_redirect(registered["after_logout"], id_token_hint=request.args["id_token"])


tokens_of = {}


def keep(token):
    """On the application's side. The cookie of the session says who somebody is and carries no token."""
    tokens_of[token["userinfo"]["sub"]] = token


app.testing = True
browser = app.test_client()
HERE = registered["redirect_uri"].removesuffix("/cb")


def visit(address, answer="allow"):
    """Sends the person's browser to the server. Answers the address to which it came back."""
    print(json.dumps({"visit": address, "answer": answer}), flush=True)
    return json.loads(sys.stdin.readline())


def started(**parameters):
    """The address of the server to which the application sends the browser."""
    return browser.get("/login", base_url=HERE, query_string=parameters).location


def came_back(address):
    """What the application makes of the browser's return."""
    answer = browser.get(address)
    if answer.status_code != 302:
        raise ValueError(answer.text)
    with browser.session_transaction(base_url=HERE) as kept:
        return tokens_of.pop(kept["sub"])


def signed_in(**parameters):
    return came_back(visit(started(**parameters)))


def refused(attempt, *arguments, **parameters):
    """What the library makes of something that must fail."""
    try:
        attempt(*arguments, **parameters)
    except OAuthError as error:
        return {"kind": type(error).__name__, "error": error.error, "description": error.description}
    except HTTPError as error:
        return {"kind": type(error).__name__, "error": error.response.json()["type"], "status": error.response.status_code}
    except (JoseError, ValueError) as error:
        return {"kind": type(error).__name__, "error": getattr(error, "error", None), "description": str(error)}
    raise AssertionError("it was not refused")


def replaced(address, name, value):
    """An address with another value of one parameter."""
    parts = urlsplit(address)
    return parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), name: value})).geturl()


with app.app_context():
    metadata = ambit.load_server_metadata()
    seen = {"issuer": metadata["issuer"], "pkce": "S256" in metadata["code_challenge_methods_supported"]}

    # Somebody signs in, and the application acts for them.
    token = signed_in()
    seen["scope"] = token["scope"]
    seen["lifetime"] = token["expires_in"]
    seen["claims"] = token["userinfo"]
    header = token["id_token"].split(".")[0]
    seen["alg"] = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["alg"]
    seen["userinfo"] = ambit.userinfo(token=token)

    tokens = OAuth2Session(
        client_id,
        client_secret,
        token_endpoint_auth_method="client_secret_basic" if client_secret else "none",
        revocation_endpoint_auth_method="client_secret_basic" if client_secret else "none",
        token_endpoint=metadata["token_endpoint"],
    )
    at_introspection = metadata["introspection_endpoint"]
    answer = tokens.introspect_token(at_introspection, token=token["access_token"])
    seen["introspected"] = answer.json() | {"status": answer.status_code}

    # It renews, and keeps the newest refresh token. An older one, used once more, ends the grant.
    def renewed(it):
        return dict(tokens.refresh_token(refresh_token=it["refresh_token"]))

    second = renewed(token)
    third = renewed(second)
    seen["rotated"] = len({it["refresh_token"] for it in (token, second, third)}) == 3
    seen["renewed"] = {"scope": third["scope"], "sub": ambit.userinfo(token=third)["sub"]}
    seen["replayed"] = refused(renewed, token)
    seen["after_replay"] = refused(renewed, third)
    seen["userinfo_after_replay"] = refused(ambit.userinfo, token=third)

    # Signed in still, nobody is asked again. A code is good once.
    back = visit(started(prompt="none"))
    with browser.session_transaction(base_url=HERE) as kept:
        before = dict(kept)
    again = came_back(back)
    seen["same_person"] = again["userinfo"]["sub"] == token["userinfo"]["sub"]
    # The application's own session forgets the state; what is tested is the server.
    with browser.session_transaction(base_url=HERE) as kept:
        kept.update(before)
    seen["code_reused"] = refused(came_back, back)
    seen["after_code_reuse"] = refused(renewed, again)

    # What is given back is good no longer.
    given = signed_in()
    tokens.revoke_token(metadata["revocation_endpoint"], token=given["refresh_token"]).raise_for_status()
    seen["revoked"] = refused(renewed, given)
    if client_secret:
        seen["introspected_after"] = tokens.introspect_token(at_introspection, token=given["access_token"]).json()

    # What an application has to notice.
    seen["denied"] = refused(came_back, visit(started(prompt="consent"), "deny"))
    seen["beyond"] = refused(came_back, visit(started(scope="openid nobody.knows")))
    back = visit(started())
    seen["wrong_state"] = refused(came_back, replaced(back, "state", "another"))
    seen["wrong_issuer"] = refused(came_back, replaced(back, "iss", registered["other_issuer"]))
    # The verifier and the nonce that the application keeps in the person's session become others.
    for kept_by, other in [("code_verifier", "o" * 43), ("nonce", "another")]:
        back = visit(started())
        with browser.session_transaction(base_url=HERE) as kept:
            for name in [name for name in kept if name.startswith("_state_ambit_")]:
                kept[name] = kept[name] | {"data": kept[name]["data"] | {kept_by: other}}
        seen[f"wrong_{kept_by.removeprefix('code_')}"] = refused(came_back, back)
    token = signed_in()
    header, claims, signature = token["id_token"].split(".")
    spoilt = ".".join([header, claims, ("B" if signature[0] == "A" else "A") + signature[1:]])
    nonce = token["userinfo"]["nonce"]
    assert ambit.parse_id_token(token, nonce)["sub"] == seen["claims"]["sub"]
    seen["wrong_signature"] = refused(ambit.parse_id_token, token | {"id_token": spoilt}, nonce)
    seen["not_its_grant"] = refused(tokens.fetch_token, grant_type="client_credentials", scope="openid")
    other = oauth.register(
        "other", server_metadata_url=f"{registered['other_issuer']}/.well-known/openid-configuration"
    ).load_server_metadata()
    seen["wrong_door"] = refused(tokens.refresh_token, other["token_endpoint"], refresh_token="any")
    if client_secret:
        stranger = OAuth2Session(client_id, "not-the-secret-of-this-client-0123456789")
        seen["wrong_secret"] = refused(stranger.refresh_token, metadata["token_endpoint"], refresh_token="any")

    # They sign out, of the application and of the server.
    last = signed_in()
    leave = browser.get("/logout", base_url=HERE, query_string={"id_token": last["id_token"]})
    seen["left_for"] = visit(leave.location)
    seen["after_logout"] = refused(came_back, visit(started(prompt="none")))

print(json.dumps({"seen": seen}), flush=True)
