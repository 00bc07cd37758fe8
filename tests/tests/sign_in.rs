//! People sign in with providers, through the real gateway, at simulated authorization servers, in a client that keeps cookies
//! and in a real browser; and others try to get in between.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

#[path = "sign_in/attacks.rs"]
mod attacks;
#[path = "sign_in/canary.rs"]
mod canary;
#[path = "sign_in/chromium.rs"]
mod chromium;
#[path = "sign_in/command_line.rs"]
mod command_line;
#[path = "sign_in/device.rs"]
mod device;
#[path = "sign_in/exchanged.rs"]
mod exchanged;
#[path = "sign_in/flow.rs"]
mod flow;
#[path = "sign_in/mixed_up.rs"]
mod mixed_up;
#[path = "admin/panel.rs"]
#[allow(dead_code, reason = "the tests of the admin API use more of it")]
mod panel;
#[path = "sign_in/race.rs"]
mod race;
#[path = "sign_in/renewal.rs"]
mod renewal;
#[path = "sign_in/rotation.rs"]
mod rotation;
#[path = "sign_in/service_account.rs"]
mod service_account;
#[path = "sign_in/world.rs"]
mod world;
