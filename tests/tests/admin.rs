//! The admin API against the real gateway: what it is told is served at once, kept, and told to nobody else.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

#[path = "admin/artifacts.rs"]
mod artifacts;
#[path = "admin/bad_money.rs"]
mod bad_money;
#[path = "admin/brought.rs"]
mod brought;
#[path = "admin/budgets.rs"]
mod budgets;
#[path = "admin/canary.rs"]
mod canary;
#[path = "admin/changes.rs"]
mod changes;
#[path = "admin/feedback.rs"]
mod feedback;
#[path = "admin/health.rs"]
mod health;
#[path = "admin/identities.rs"]
mod identities;
#[path = "admin/issuer.rs"]
mod issuer;
#[path = "admin/layers.rs"]
mod layers;
#[path = "admin/manners.rs"]
mod manners;
#[path = "admin/mesh.rs"]
mod mesh;
#[path = "admin/models.rs"]
mod models;
#[path = "admin/own_keys.rs"]
mod own_keys;
#[path = "admin/pair.rs"]
mod pair;
#[path = "admin/panel.rs"]
mod panel;
#[path = "admin/roles.rs"]
mod roles;
#[path = "admin/spending.rs"]
mod spending;
#[path = "admin/tenants.rs"]
mod tenants;
