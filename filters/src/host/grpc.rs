//! gRPC calls and streams to clusters of the host. Answers come to the root context, by token.

use super::raw::*;
use super::{Status, check};

/// A gRPC method behind a cluster of the host.
#[derive(Debug, Clone, Copy)]
pub struct Method<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// `package.Service`.
    pub service: &'a str,
    /// `Method`.
    pub name: &'a str,
}

/// Sends one message and awaits one; gives the token that `on_grpc_message` or `on_grpc_close` of the root context of
/// this filter will name.
///
/// # Errors
/// [`Status::InternalFailure`] when the cluster is absent or has no host; `on_grpc_close` may then still come, with a
/// token nobody knows.
pub fn grpc_call(method: Method<'_>, message: &[u8], timeout_ms: u32) -> Result<u32, Status> {
    let (upstream, mut token) = (grpc_service(method.cluster), 0);
    // SAFETY: the slices are valid for the call; the host writes one u32.
    check(unsafe {
        proxy_grpc_call(
            upstream.as_ptr(),
            upstream.len(),
            method.service.as_ptr(),
            method.service.len(),
            method.name.as_ptr(),
            method.name.len(),
            [].as_ptr(),
            0,
            message.as_ptr(),
            message.len(),
            timeout_ms,
            &raw mut token,
        )
    })
    .map(|()| token)
}

/// Opens a stream of messages; gives its token, as [`grpc_call`] does.
///
/// # Errors
/// As [`grpc_call`].
pub fn grpc_stream(method: Method<'_>) -> Result<u32, Status> {
    let (upstream, mut token) = (grpc_service(method.cluster), 0);
    // SAFETY: the slices are valid for the call; the host writes one u32.
    check(unsafe {
        proxy_grpc_stream(
            upstream.as_ptr(),
            upstream.len(),
            method.service.as_ptr(),
            method.service.len(),
            method.name.as_ptr(),
            method.name.len(),
            [].as_ptr(),
            0,
            &raw mut token,
        )
    })
    .map(|()| token)
}

/// Sends a message into an open stream; more may follow.
///
/// # Errors
/// [`Status::NotFound`] when the stream is gone.
pub fn grpc_send(token: u32, message: &[u8]) -> Result<(), Status> {
    // SAFETY: the slice is valid for the call.
    check(unsafe { proxy_grpc_send(token, message.as_ptr(), message.len(), 0) })
}

/// Says that nothing more will be sent. Needed after `on_grpc_close` too: only then does the host forget the stream.
///
/// # Errors
/// [`Status::NotFound`] when the stream is gone.
pub fn grpc_close(token: u32) -> Result<(), Status> {
    // SAFETY: no pointers.
    check(unsafe { proxy_grpc_close(token) })
}

/// Gives up a call or a stream.
///
/// # Errors
/// [`Status::NotFound`] when it is gone.
pub fn grpc_cancel(token: u32) -> Result<(), Status> {
    // SAFETY: no pointers.
    check(unsafe { proxy_grpc_cancel(token) })
}

/// A serialised `envoy.config.core.v3.GrpcService { envoy_grpc { cluster_name } }`.
///
/// The host takes a bare name only if it does not happen to parse as this message, which "xx" does.
fn grpc_service(cluster: &str) -> Vec<u8> {
    const FIELD_1: u8 = 0x0a;
    let field = |text: &[u8]| {
        let mut out = vec![FIELD_1];
        // A `Vec` grows, so there is always room for a length.
        let _ = prost::encode_length_delimiter(text.len(), &mut out);
        out.extend_from_slice(text);
        out
    };
    field(&field(cluster.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_named_in_a_message_whatever_its_length() {
        assert_eq!(grpc_service("xx"), b"\x0a\x04\x0a\x02xx");
        let long = "c".repeat(200);
        assert_eq!(grpc_service(&long), [b"\x0a\xcb\x01\x0a\xc8\x01", long.as_bytes()].concat());
    }
}
