//! The entry points: what the host calls, by the names of proxy-wasm ABI 0.2.1. Each hands on to [`dispatch`].
//!
//! Why so: names and numbers of the ABI end here. What Dragoman does not use (TCP, queues, HTTP callouts, metadata) is
//! not exported, and the host does not call it. Neither is `proxy_on_done`, whose answer would always be that the context
//! may end: that is what the host takes for granted, and each call costs.
//!
//! Limits: on any other machine than wasm32 these are ordinary functions that nobody calls.

// SAFETY, for every `no_mangle` here: `proxy_` is the ABI's prefix and no other crate in this module exports it.

use crate::dispatch::{self, BodyFlow, End, HeadFlow};
use crate::host::{self, Buffer, Level};

/// Says which ABI this module speaks; never called.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_abi_version_0_2_1() {}

/// A context begins.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    dispatch::create(context, root);
}

/// The VM begins, in the first of its root contexts.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_on_vm_start(context: u32, _size: usize) -> u32 {
    let started = dispatch::root(context, false, |_, worker| {
        let fits = worker.start(&host::buffer(Buffer::VmConfiguration).unwrap_or_default());
        if !fits {
            host::log(Level::Error, "the VM configuration must be the name of the control plane's cluster");
        }
        fits
    });
    u32::from(started)
}

/// A filter is configured, in its root context.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_on_configure(context: u32, _size: usize) -> u32 {
    let configured = dispatch::root(context, false, |root, worker| {
        let fits = root.on_configure(worker, &host::buffer(Buffer::PluginConfiguration).unwrap_or_default());
        if !fits {
            host::log(Level::Error, "the plugin configuration must be the word `router` or `translator`");
        }
        fits
    });
    u32::from(configured)
}

/// Time has passed.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_on_tick(context: u32) {
    dispatch::root(context, (), |root, worker| root.on_tick(worker));
}

/// The head of a request.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_on_request_headers(context: u32, _count: usize, end: u32) -> u32 {
    head(dispatch::stream(context, HeadFlow::Continue, |stream, worker| stream.on_request_head(worker, reached(end))))
}

/// A chunk of a request's body.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_on_request_body(context: u32, size: usize, end: u32) -> u32 {
    body(dispatch::stream(context, BodyFlow::Continue, |stream, worker| {
        stream.on_request_body(worker, size, reached(end))
    }))
}

/// The trailers of a request.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_on_request_trailers(context: u32, _count: usize) -> u32 {
    head(dispatch::stream(context, HeadFlow::Continue, |stream, worker| stream.on_request_trailers(worker)))
}

/// The head of a response.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_on_response_headers(context: u32, _count: usize, end: u32) -> u32 {
    head(dispatch::stream(context, HeadFlow::Continue, |stream, worker| stream.on_response_head(worker, reached(end))))
}

/// A chunk of a response's body.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_on_response_body(context: u32, size: usize, end: u32) -> u32 {
    body(dispatch::stream(context, BodyFlow::Continue, |stream, worker| {
        stream.on_response_body(worker, size, reached(end))
    }))
}

/// The trailers of a response.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_on_response_trailers(context: u32, _count: usize) -> u32 {
    head(dispatch::stream(context, HeadFlow::Continue, |stream, worker| stream.on_response_trailers(worker)))
}

/// A gRPC message, of a call or a stream.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_on_grpc_receive(context: u32, token: u32, _size: usize) {
    dispatch::root(context, (), |root, worker| match host::buffer(Buffer::GrpcMessage) {
        Ok(message) => root.on_grpc_message(worker, token, &message),
        Err(_) => host::log(Level::Error, "a gRPC message could not be read"),
    });
}

/// The end of a gRPC stream, or of a call that failed.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_on_grpc_close(context: u32, token: u32, status: u32) {
    dispatch::root(context, (), |root, worker| root.on_grpc_close(worker, token, status));
}

/// A context ends.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_on_delete(context: u32) {
    dispatch::delete(context);
}

fn reached(end: u32) -> End {
    if end == 0 { End::Open } else { End::Reached }
}

fn head(flow: HeadFlow) -> u32 {
    match flow {
        HeadFlow::Continue => 0,
        HeadFlow::Pause => 1,
        HeadFlow::PauseAll => 4,
    }
}

fn body(flow: BodyFlow) -> u32 {
    match flow {
        BodyFlow::Continue => 0,
        BodyFlow::Hold => 1,
        BodyFlow::Consume => 3,
    }
}
