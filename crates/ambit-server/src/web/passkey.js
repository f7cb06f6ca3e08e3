// Passkeys: the one thing on these pages that a browser does by script only. The button says in its attributes what to ask the
// authenticator, and what to say when that comes to nothing. The answer goes into the form around it.
"use strict";

(() => {
  const button = document.querySelector("button[data-passkey]");
  const said = document.getElementById("passkey-said");
  const needs = document.getElementById("passkey-needs");
  const { form, dataset } = button;

  const octets = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));

  const base64url = (buffer) => {
    const binary = Array.from(new Uint8Array(buffer), (octet) => String.fromCharCode(octet)).join("");
    return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };

  const asked = () => {
    const options = JSON.parse(dataset.options);
    options.challenge = octets(options.challenge);
    if (options.user) options.user.id = octets(options.user.id);
    for (const named of [...(options.allowCredentials ?? []), ...(options.excludeCredentials ?? [])]) {
      named.id = octets(named.id);
    }
    return options;
  };

  const answered = (credential) => {
    const response = {};
    for (const member of ["clientDataJSON", "authenticatorData", "signature", "userHandle", "attestationObject"]) {
      if (credential.response[member]) response[member] = base64url(credential.response[member]);
    }
    if (credential.response.getTransports) response.transports = credential.response.getTransports();
    return JSON.stringify({
      id: credential.id,
      rawId: base64url(credential.rawId),
      type: credential.type,
      response,
      clientExtensionResults: credential.getClientExtensionResults(),
    });
  };

  // Browsers give a request that ran out of time the name of one that was cancelled: only its length tells them apart.
  const told = (error, took, timeout) => {
    switch (error.name) {
      case "InvalidStateError":
        return dataset.already;
      case "TimeoutError":
        return dataset.timedOut;
      case "NotAllowedError":
      case "AbortError":
        return took < timeout ? dataset.notAllowed : dataset.timedOut;
      default:
        return dataset.failed;
    }
  };

  const ask = async () => {
    const options = asked();
    const began = performance.now();
    button.disabled = true;
    said.textContent = "";
    try {
      const credential = await navigator.credentials[dataset.passkey]({ publicKey: options });
      form.elements.credential.value = answered(credential);
      form.submit();
    } catch (error) {
      said.textContent = told(error, performance.now() - began, options.timeout);
      button.disabled = false;
    }
  };

  if (!window.PublicKeyCredential) {
    needs.textContent = dataset.unsupported;
    return;
  }
  needs.hidden = true;
  button.hidden = false;
  button.addEventListener("click", ask);
  // The key Enter in a field of the form: as the button.
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!button.disabled) ask();
  });
})();
