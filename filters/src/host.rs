//! The only file that calls the host: proxy-wasm ABI 0.2.1, bytes in and bytes out.
//!
//! ```
//! use dragoman_filters::host::{self, Map, Status};
//!
//! // On a machine without a host every call answers `Unimplemented`; nothing ever panics.
//! assert_eq!(host::set_header(Map::RequestHead, "x-dragoman-target", "a"), Err(Status::Unimplemented));
//! ```
//!
//! Why so: the official SDK panics on any status it does not expect and reads headers as UTF-8, and a panic takes down
//! every request of a worker. Here a status is a value. `None` means the host has no such thing, `Err` that the call was
//! refused: an unexpected value, or a call in a phase that does not allow it.
//!
//! When a head may be changed: while it is held. The host forgets a head once its callback has answered
//! [`HeadFlow::Continue`](crate::dispatch::HeadFlow) or [`resume`] was called, and any of the calls on it is then a
//! [`Status::BadArgument`].
//!
//! Limits: what the host gives is copied into memory that we allocated and owned exactly once;
//! memory for an answer whose call failed half-way is lost (the host gives no pointer to free).

mod grpc;
mod raw;

use dragoman_core::exchange::HeadEdits;
use dragoman_core::record::stats::Kind;

use crate::pairs::{self, Pairs};
use raw::*;

pub use grpc::*;

/// Why the host refused a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No such thing.
    NotFound,
    /// A value out of range, or a call that is not legal in this phase.
    BadArgument,
    /// The host could not read what it was given; for a gRPC call: no such cluster.
    ParseFailure,
    /// The host tried and failed; for a gRPC call: no host to send it to.
    InternalFailure,
    /// The host does not know this call.
    Unimplemented,
    /// Any other status, by its number.
    Other(u32),
}

/// How bad a log line is; the numbers are the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For someone who debugs.
    Debug = 1,
    /// Worth knowing.
    Info = 2,
    /// Worth a look.
    Warn = 3,
    /// Something was lost.
    Error = 4,
}

/// Which bytes to read or write; the numbers are the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buffer {
    /// The request body: this chunk, or all so far when chunks are being held.
    RequestBody = 0,
    /// The response body, likewise.
    ResponseBody = 1,
    /// The gRPC message just received.
    GrpcMessage = 5,
    /// `vm_config.configuration`.
    VmConfiguration = 6,
    /// The plugin's `configuration`; only while it is being configured.
    PluginConfiguration = 7,
}

/// Which headers to read or write; the numbers are the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// Request headers.
    RequestHead = 0,
    /// Request trailers.
    RequestTrailers = 1,
    /// Response headers.
    ResponseHead = 2,
    /// Response trailers.
    ResponseTrailers = 3,
}

/// One direction of a stream; the numbers are the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the provider.
    Request = 0,
    /// Back.
    Response = 1,
}

fn check(status: u32) -> Result<(), Status> {
    match status {
        0 => Ok(()),
        1 => Err(Status::NotFound),
        2 => Err(Status::BadArgument),
        4 => Err(Status::ParseFailure),
        10 => Err(Status::InternalFailure),
        12 => Err(Status::Unimplemented),
        other => Err(Status::Other(other)),
    }
}

fn found<T>(result: Result<T, Status>) -> Result<Option<T>, Status> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Status::NotFound) => Ok(None),
        Err(status) => Err(status),
    }
}

// In every call below the host reads slices only while the call lasts, and writes only to places that outlive it.

/// Writes a line into the host's log. Never a prompt, an answer or a secret.
pub fn log(level: Level, text: &str) {
    // SAFETY: the slice is valid for the call. A log line that gets lost changes nothing, so the status is not looked at.
    let _ = unsafe { proxy_log(level as u32, text.as_ptr(), text.len()) };
}

/// Milliseconds since 1970; 0 without a host.
pub fn now_ms() -> u64 {
    now_ns() / 1_000_000
}

/// Nanoseconds since 1970; 0 without a host.
pub fn now_ns() -> u64 {
    let mut nanoseconds = 0;
    // SAFETY: the host writes one u64. It always has a clock, so the status is not looked at.
    let _ = unsafe { proxy_get_current_time_nanoseconds(&raw mut nanoseconds) };
    nanoseconds
}

/// Fills `bytes` with randomness.
///
/// # Errors
/// When the host has none to give.
pub fn random(bytes: &mut [u8]) -> Result<(), Status> {
    // SAFETY: the host writes exactly this slice. The errno of WASI is no proxy-wasm status; not zero is all it says.
    let errno = unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) };
    if errno == 0 { Ok(()) } else { Err(Status::Other(errno)) }
}

/// Calls `on_tick` of the current root context every so many milliseconds; 0 stops it.
///
/// # Errors
/// In a context that is not a root.
pub fn set_tick(milliseconds: u32) -> Result<(), Status> {
    // SAFETY: no pointers.
    check(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// Makes every later call of this callback speak for `context` instead of the one that was called.
///
/// # Errors
/// [`Status::BadArgument`] when the context is gone.
pub fn set_effective_context(context: u32) -> Result<(), Status> {
    // SAFETY: no pointers.
    check(unsafe { proxy_set_effective_context(context) })
}

/// A property such as `["xds", "cluster_name"]`, as the host serialises it.
///
/// # Errors
/// When the property is there but can't be read now.
pub fn property(path: &[&str]) -> Result<Option<Vec<u8>>, Status> {
    let path = path.join("\0");
    // SAFETY: see the note above.
    found(take_answer(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) }))
}

/// All bytes of a buffer; a copy, so ask once.
///
/// # Errors
/// When there is no such buffer now.
pub fn buffer(kind: Buffer) -> Result<Vec<u8>, Status> {
    // A 32-bit size is all the host reads; one less than the most, so that start + size does not wrap there.
    let most = usize::try_from(u32::MAX >> 1).unwrap_or(usize::MAX);
    // SAFETY: see the note above.
    take_answer(|data, size| unsafe { proxy_get_buffer_bytes(kind as u32, 0, most, data, size) })
}

/// Puts `bytes` in the place of the whole buffer.
///
/// # Errors
/// When there is no such buffer now, or it can't be changed.
pub fn replace_buffer(kind: Buffer, bytes: &[u8]) -> Result<(), Status> {
    let all = usize::try_from(u32::MAX >> 1).unwrap_or(usize::MAX);
    // SAFETY: see the note above.
    check(unsafe { proxy_set_buffer_bytes(kind as u32, 0, all, bytes.as_ptr(), bytes.len()) })
}

/// The whole list of headers; empty when there is no such head now.
///
/// # Errors
/// When there is no memory for it.
pub fn headers(map: Map) -> Result<Pairs, Status> {
    // SAFETY: see the note above.
    take_answer(|data, size| unsafe { proxy_get_header_map_pairs(map as u32, data, size) }).map(Pairs::from)
}

/// Puts these headers in the place of all.
///
/// # Errors
/// [`Status::BadArgument`] for headers that can't be sent, or a head that is no longer held.
pub fn set_headers<N: AsRef<[u8]>, V: AsRef<[u8]>>(map: Map, pairs: &[(N, V)]) -> Result<(), Status> {
    let list = pairs::encode(pairs)?;
    // SAFETY: see the note above.
    check(unsafe { proxy_set_header_map_pairs(map as u32, list.as_ptr(), list.len()) })
}

/// The first value of a header. Where a second one would matter, read [`headers`].
///
/// # Errors
/// When there is no such head now.
pub fn header(map: Map, name: &str) -> Result<Option<Vec<u8>>, Status> {
    let call = |data, size| {
        // SAFETY: see the note above.
        unsafe { proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size) }
    };
    found(take_answer(call))
}

/// Puts this value in the place of all values of a header.
///
/// # Errors
/// [`Status::BadArgument`] for a value that can't be sent, or a head that is no longer held.
pub fn set_header(map: Map, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), Status> {
    let (name, value) = (name.as_ref(), value.as_ref());
    pairs::check(name, value)?;
    // SAFETY: see the note above.
    check(unsafe { proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// Removes every value of a header; one that is not there is fine.
///
/// # Errors
/// [`Status::BadArgument`] when the head is no longer held.
pub fn remove_header(map: Map, name: impl AsRef<[u8]>) -> Result<(), Status> {
    let name = name.as_ref();
    // SAFETY: see the note above.
    check(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// Makes changes to a head: first what goes, then what comes. The first change that is refused ends it.
///
/// # Errors
/// As [`set_header`].
pub fn edit_head(map: Map, edits: &HeadEdits) -> Result<(), Status> {
    edits.remove.iter().try_for_each(|name| remove_header(map, name))?;
    edits.set.iter().try_for_each(|(name, value)| set_header(map, name, value))
}

/// Lets a held stream go on, once the current callback has returned.
///
/// # Errors
/// In a context without a stream.
pub fn resume(direction: Direction) -> Result<(), Status> {
    // SAFETY: no pointers.
    check(unsafe { proxy_continue_stream(direction as u32) })
}

/// Resets the stream, once the current callback has returned.
///
/// # Errors
/// In a context without a stream.
pub fn close(direction: Direction) -> Result<(), Status> {
    // SAFETY: no pointers.
    check(unsafe { proxy_close_stream(direction as u32) })
}

/// Answers the request here; the stream goes no further. `details` is for the access log: one word, no blanks.
///
/// # Errors
/// [`Status::BadArgument`] for headers that can't be sent.
pub fn reply<N: AsRef<[u8]>, V: AsRef<[u8]>>(
    code: u16,
    details: &str,
    headers: &[(N, V)],
    body: &[u8],
) -> Result<(), Status> {
    /// Not a gRPC answer.
    const NO_GRPC_STATUS: i32 = -1;
    let list = pairs::encode(headers)?;
    // SAFETY: see the note above.
    check(unsafe {
        proxy_send_local_response(
            u32::from(code),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            list.as_ptr(),
            list.len(),
            NO_GRPC_STATUS,
        )
    })
}

/// Calls one of the host's own functions, such as `set_envoy_filter_state`.
///
/// # Errors
/// [`Status::NotFound`] when there is no such function; else what it answers.
pub fn foreign(function: &str, arguments: &[u8]) -> Result<Vec<u8>, Status> {
    // SAFETY: see the note above.
    take_answer(|data, size| unsafe {
        proxy_call_foreign_function(function.as_ptr(), function.len(), arguments.as_ptr(), arguments.len(), data, size)
    })
}

/// Makes the host choose the route anew, from the request head as it is now.
///
/// # Errors
/// Only in a host that is not Envoy.
pub fn clear_route_cache() -> Result<(), Status> {
    foreign("clear_route_cache", &[]).map(drop)
}

/// Makes a metric; its name appears in the host's statistics behind `wasmcustom.`. One that another worker made is shared.
///
/// # Errors
/// Only without a host.
pub fn define(kind: Kind, name: &str) -> Result<u32, Status> {
    let kind = match kind {
        Kind::Counter => 0,
        Kind::Histogram => 2,
    };
    let mut id = 0;
    // SAFETY: see the note above; the host writes one u32.
    check(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) }).map(|()| id)
}

/// Counts.
///
/// # Errors
/// [`Status::NotFound`] for a counter nobody made; [`Status::BadArgument`] for 0.
pub fn increment(counter: u32, by: u64) -> Result<(), Status> {
    // SAFETY: no pointers.
    check(unsafe { proxy_increment_metric(counter, i64::try_from(by).unwrap_or(i64::MAX)) })
}

/// Notes a value.
///
/// # Errors
/// [`Status::NotFound`] for a histogram nobody made.
pub fn record(histogram: u32, value: u64) -> Result<(), Status> {
    // SAFETY: no pointers.
    check(unsafe { proxy_record_metric(histogram, value) })
}
