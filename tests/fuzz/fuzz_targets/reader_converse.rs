//! Any bytes as an answer in this dialect, said in every dialect: no panic, and a cut answer never looks complete.
#![no_main]

use dragoman_core::catalog::DialectId;
use libfuzzer_sys::fuzz_target;

mod interpret;

fuzz_target!(|bytes: &[u8]| interpret::interpret(DialectId::Converse, bytes));
