//! Who is called: every context of this VM by its id, and the one [`Worker`] they share.
//!
//! ```
//! use dragoman_filters::dispatch::{self, HeadFlow};
//!
//! // A context nobody made is no reason to stop anything.
//! let flow = dispatch::stream(7, HeadFlow::Continue, |stream, worker| stream.on_response_trailers(worker));
//! assert_eq!(flow, HeadFlow::Continue);
//! ```
//!
//! Why so: the dispatcher leaves its place while a callback runs and comes back after it. There is no borrow that could
//! fail: a callback within a callback finds the place empty, and is answered with the safe default.
//!
//! Limits: one thread, as in the host. A context lives from `create` to `delete`; the host promises both.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::hop::HopFilter;
use crate::host::{self, Status};
use crate::root::Root;
use crate::router::Router;
use crate::translator::Translator;
use crate::worker::Worker;

/// What becomes of a head or of trailers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadFlow {
    /// On to the next filter; from now on the head can't be changed.
    Continue,
    /// Held, and can be changed, until a body callback answers [`BodyFlow::Continue`] or [`host::resume`] is called.
    Pause,
    /// Held, and no body callback comes either, until [`host::resume`] is called.
    PauseAll,
}

/// What becomes of a chunk of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFlow {
    /// On to the next filter, with the head and whatever else was held.
    Continue,
    /// Held by the host: the next callback sees it again, with what came after it.
    Hold,
    /// Held by nobody: the filter has read it and will put something in its place later.
    Consume,
}

/// Whether anything of this direction can still come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum End {
    /// More may come.
    #[default]
    Open,
    /// This was the last of it.
    Reached,
}

/// One stream through one filter. What a filter does not name passes untouched.
///
/// Requests and responses come in this order, each at most once but for bodies: head, body chunks, trailers. A response
/// may come before the request has ended, or never.
pub trait Stream {
    /// The request's head is here.
    fn on_request_head(&mut self, worker: &mut Worker, end: End) -> HeadFlow {
        let _ = (worker, end);
        HeadFlow::Continue
    }
    /// A chunk of the request's body is here; `size` counts what [`host::buffer`] would copy, in bytes.
    fn on_request_body(&mut self, worker: &mut Worker, size: usize, end: End) -> BodyFlow {
        let _ = (worker, size, end);
        BodyFlow::Continue
    }
    /// The request ends with trailers; they are the end, no body callback says so.
    fn on_request_trailers(&mut self, worker: &mut Worker) -> HeadFlow {
        let _ = worker;
        HeadFlow::Continue
    }
    /// The response's head is here, be it the provider's or the host's own.
    fn on_response_head(&mut self, worker: &mut Worker, end: End) -> HeadFlow {
        let _ = (worker, end);
        HeadFlow::Continue
    }
    /// A chunk of the response's body is here.
    fn on_response_body(&mut self, worker: &mut Worker, size: usize, end: End) -> BodyFlow {
        let _ = (worker, size, end);
        BodyFlow::Continue
    }
    /// The response ends with trailers.
    fn on_response_trailers(&mut self, worker: &mut Worker) -> HeadFlow {
        let _ = worker;
        HeadFlow::Continue
    }
    /// What this stream waited for is here: someone called [`Worker::wake`] with its id.
    fn on_wake(&mut self, worker: &mut Worker) {
        let _ = worker;
    }
    /// The stream is over, well or not; nothing comes after this.
    fn on_done(&mut self, worker: &mut Worker) {
        let _ = worker;
    }
}

/// What a context is.
enum Context {
    /// One per filter configuration, for as long as it lives.
    Root(Box<Root>),
    /// One per request and its answer.
    Router(Box<Router>),
    /// One per attempt.
    Translator(Box<Translator>),
    /// One per attempt of an exchange that may be hedged.
    Hop(Box<HopFilter>),
}

impl Context {
    fn stream(&mut self) -> Option<&mut dyn Stream> {
        match self {
            Context::Root(_) => None,
            Context::Router(router) => Some(router.as_mut()),
            Context::Translator(translator) => Some(translator.as_mut()),
            Context::Hop(hop) => Some(hop.as_mut()),
        }
    }
}

/// Which filter a plugin configuration asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The downstream filter.
    Router,
    /// The upstream filter, once per attempt.
    Translator,
    /// The filter of the hop.
    Hop,
}

impl Role {
    /// Reads a plugin configuration: the word `router`, `translator` or `hop`.
    pub fn read(configuration: &[u8]) -> Option<Role> {
        match configuration.trim_ascii() {
            b"router" => Some(Role::Router),
            b"translator" => Some(Role::Translator),
            b"hop" => Some(Role::Hop),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Dispatcher {
    contexts: BTreeMap<u32, Context>,
    worker: Worker,
}

/// Where the dispatcher is.
enum Place {
    /// Nobody called yet.
    Unmade,
    /// Between two callbacks.
    Here(Box<Dispatcher>),
    /// In a callback.
    Away,
}

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::Unmade) };
}

/// Makes a context. `root` is 0 for a root context, else the root context of its filter.
pub fn create(id: u32, root: u32) {
    enter((), |dispatcher| {
        let context = match dispatcher.contexts.get(&root) {
            _ if root == 0 => Context::Root(Box::default()),
            // Without a role its configuration was refused, and the host sends it no streams.
            Some(Context::Root(root)) => match root.role()? {
                Role::Router => Context::Router(Box::new(Router::new(id))),
                Role::Translator => Context::Translator(Box::new(Translator::new(id))),
                Role::Hop => Context::Hop(Box::new(HopFilter::new(id))),
            },
            _ => return None,
        };
        dispatcher.contexts.insert(id, context);
        Some(())
    });
}

/// Forgets a context, after telling it.
pub fn delete(id: u32) {
    enter((), |dispatcher| {
        match dispatcher.contexts.remove(&id)? {
            Context::Root(mut root) => root.on_done(&mut dispatcher.worker),
            Context::Router(mut router) => router.on_done(&mut dispatcher.worker),
            Context::Translator(mut translator) => translator.on_done(&mut dispatcher.worker),
            Context::Hop(mut hop) => hop.on_done(&mut dispatcher.worker),
        }
        Some(())
    });
}

/// Runs a callback of a stream; `default` is the answer when there is no such stream.
pub fn stream<R>(id: u32, default: R, callback: impl FnOnce(&mut dyn Stream, &mut Worker) -> R) -> R {
    enter(default, |dispatcher| {
        let stream = dispatcher.contexts.get_mut(&id)?.stream()?;
        Some(callback(stream, &mut dispatcher.worker))
    })
}

/// Runs a callback of a root context; `default` is the answer when there is no such context.
pub fn root<R>(id: u32, default: R, callback: impl FnOnce(&mut Root, &mut Worker) -> R) -> R {
    enter(default, |dispatcher| match dispatcher.contexts.get_mut(&id)? {
        Context::Root(root) => Some(callback(root, &mut dispatcher.worker)),
        Context::Router(_) | Context::Translator(_) | Context::Hop(_) => None,
    })
}

fn enter<R>(default: R, run: impl FnOnce(&mut Dispatcher) -> Option<R>) -> R {
    let mut dispatcher = match PLACE.replace(Place::Away) {
        Place::Unmade => Box::default(),
        Place::Here(dispatcher) => dispatcher,
        Place::Away => return default,
    };
    let answer = run(&mut dispatcher).unwrap_or(default);
    dispatcher.wake();
    PLACE.set(Place::Here(dispatcher));
    answer
}

impl Dispatcher {
    /// Calls every stream that was woken in this callback; what those wake waits for the next one.
    fn wake(&mut self) {
        for id in self.worker.take_woken() {
            let Some(stream) = self.contexts.get_mut(&id).and_then(Context::stream) else { continue };
            // From here to the end of the callback, or to the next one woken, the host hears this stream.
            if host::set_effective_context(id) != Err(Status::BadArgument) {
                stream.on_wake(&mut self.worker);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without a host a plugin's configuration is given by hand.
    fn configured(id: u32, configuration: &[u8]) {
        create(id, 0);
        assert!(root(id, false, |root, worker| root.on_configure(worker, configuration)));
    }

    fn is_stream(id: u32) -> bool {
        stream(id, false, |_, _| true)
    }

    #[test]
    fn a_stream_begins_under_a_configured_root_and_ends_when_deleted() {
        configured(1, b"router");
        configured(2, b" translator\n");
        create(3, 1);
        create(4, 2);
        assert!(is_stream(3) && is_stream(4) && !is_stream(1));
        delete(3);
        assert!(!is_stream(3) && is_stream(4));
    }

    #[test]
    fn an_unknown_context_gets_the_default_in_whatever_order_the_host_calls() {
        delete(9);
        create(3, 9);
        create(5, 0);
        create(6, 5);
        create(7, 6);
        assert!(!is_stream(3) && !is_stream(6) && !is_stream(7));
        assert_eq!(root(9, 1, |_, _| 2), 1);
        assert!(!root(5, true, |root, worker| root.on_configure(worker, b"Router")));
    }

    #[test]
    fn a_callback_within_a_callback_gets_the_default_and_nothing_is_lost() {
        configured(1, b"router");
        create(2, 1);
        let inner = root(1, true, |_, _| {
            delete(2);
            is_stream(2)
        });
        assert!(!inner);
        assert!(is_stream(2));
    }
}
