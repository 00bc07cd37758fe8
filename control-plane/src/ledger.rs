//! The ledger for others: in forms that they read, and held against the bills that they write. What it is made of stands in
//! [`crate::store::ledger`].

pub mod forms;
pub mod reconcile;
