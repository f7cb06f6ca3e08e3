//! Whole flows in a real browser: headless Chromium, at the binary, on the way to an application that listens on this machine.
//!
//! 1. [`chromium`] opens browsers by the driver at `AMBIT_TEST_CHROMEDRIVER` (`.ci/chromium` starts one) and works them as people
//!    do: what is filled in is found by its label, what is pressed by its words. An error that a browser logs and no test expects,
//!    a violation of the content security policy among them, fails the test.
//! 2. [`application`] is the application that sends people to sign in, redeems what comes back, and renews it.
//! 3. [`shop`] is what administrators prepared: a tenant, people, an API with scopes.
//!
//! Each flow is walked twice: with JavaScript on a wide screen, and without it on a phone.

mod account;
mod application;
mod chromium;
mod first_administrator;
mod judge;
mod keyboard;
mod letters;
mod pages;
mod passkeys;
mod shop;
mod shopper;
