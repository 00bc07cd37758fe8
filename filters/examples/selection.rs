//! Features and judgement alone, as a wasm module: `tests/tests/artifact.rs` holds its numbers against native ones, and
//! `tests/artifact/time.mjs` times it in V8. What is shipped has the same code behind the filters.
//!
//! ```text
//! room(n) ─▶ where n bytes go      learn() ─▶ 1 if they are an artifact
//!                                  judge() ─▶ how many numbers it says of them, a prompt as a JSON string      said() ─▶ where these are
//! ```

use std::cell::RefCell;

use dragoman_core::artifact::Artifact;
use dragoman_core::catalog::DialectId;
use dragoman_core::features::Features;
use dragoman_core::hub::{Delivery, Part, Request, Role, Shape, Turn};
use dragoman_core::json::Json;

#[derive(Default)]
struct State {
    given: Vec<u8>,
    artifact: Option<Artifact>,
    said: Vec<f64>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Where so many bytes are put.
#[unsafe(no_mangle)]
pub extern "C" fn room(bytes: usize) -> *mut u8 {
    STATE.with_borrow_mut(|state| {
        state.given.resize(bytes, 0);
        state.given.as_mut_ptr()
    })
}

/// Takes what was given as the artifact.
#[unsafe(no_mangle)]
pub extern "C" fn learn() -> u32 {
    STATE.with_borrow_mut(|state| {
        state.artifact = Artifact::read(&state.given).ok();
        u32::from(state.artifact.is_some())
    })
}

/// Says all numbers of what was given, and what the last `heads` heads make of them: those of models stand there.
#[unsafe(no_mangle)]
pub extern "C" fn judge(heads: usize) -> usize {
    STATE.with_borrow_mut(|state| {
        let State { given, artifact: Some(artifact), said } = state else { return 0 };
        let Some(text) = Json::parse(given).ok().and_then(Json::text) else { return 0 };
        let mut request = Request::new(DialectId::ChatCompletions, Delivery::Whole);
        let parts = vec![Part::Text { text, extra: Vec::new() }];
        request.turns.push(Turn { role: Role::User, parts, shape: Shape::Bare, extra: Vec::new() });
        let seen = artifact.extend(&Features::of(&request));
        let opinion = artifact.judge(&seen);
        said.clear();
        said.extend([f64::from(opinion.cheap), f64::from(opinion.mid), f64::from(opinion.bucket as u8)]);
        said.extend(
            artifact.parts().heads.iter().rev().take(heads).filter_map(|head| artifact.quality(&seen, &head.name)),
        );
        said.extend(seen.numbers());
        said.len()
    })
}

/// Where what was said begins.
#[unsafe(no_mangle)]
pub extern "C" fn said() -> *const f64 {
    STATE.with_borrow(|state| state.said.as_ptr())
}
