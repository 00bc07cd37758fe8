//! The host's calls as they are, and the memory through which it answers.

#[cfg(any(target_arch = "wasm32", test))]
use std::alloc::{Layout, alloc};
use std::ptr::null_mut;

use super::{Status, check};

/// Declares the host's calls; where there is no host, each of them answers `Unimplemented`.
macro_rules! host_calls {
    ($(fn $name:ident($($arg:ident: $type:ty),*);)+) => {
        #[cfg(target_arch = "wasm32")]
        #[link(wasm_import_module = "env")]
        unsafe extern "C" {
            $(pub(super) fn $name($($arg: $type),*) -> u32;)+
        }
        $(#[cfg(not(target_arch = "wasm32"))]
        #[allow(clippy::too_many_arguments, reason = "the signatures are the host's")]
        pub(super) unsafe fn $name($(_: $type),*) -> u32 { UNIMPLEMENTED })+
    };
}

#[cfg(not(target_arch = "wasm32"))]
const UNIMPLEMENTED: u32 = 12;

host_calls! {
    fn proxy_log(level: u32, text: *const u8, size: usize);
    fn proxy_get_current_time_nanoseconds(time: *mut u64);
    fn proxy_set_tick_period_milliseconds(period: u32);
    fn proxy_set_effective_context(context: u32);
    fn proxy_get_property(path: *const u8, path_size: usize, value: *mut *mut u8, value_size: *mut usize);
    fn proxy_get_buffer_bytes(kind: u32, start: usize, max: usize, data: *mut *mut u8, size: *mut usize);
    fn proxy_set_buffer_bytes(kind: u32, start: usize, replaced: usize, data: *const u8, size: usize);
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize);
    fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize);
    fn proxy_get_header_map_value(map: u32, key: *const u8, key_size: usize, data: *mut *mut u8, size: *mut usize);
    fn proxy_replace_header_map_value(map: u32, key: *const u8, key_size: usize, value: *const u8, size: usize);
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize);
    fn proxy_continue_stream(direction: u32);
    fn proxy_close_stream(direction: u32);
    fn proxy_send_local_response(code: u32, details: *const u8, details_size: usize, body: *const u8, body_size: usize,
        headers: *const u8, headers_size: usize, grpc_status: i32);
    fn proxy_grpc_call(upstream: *const u8, upstream_size: usize, service: *const u8, service_size: usize,
        method: *const u8, method_size: usize, metadata: *const u8, metadata_size: usize,
        message: *const u8, message_size: usize, timeout: u32, token: *mut u32);
    fn proxy_grpc_stream(upstream: *const u8, upstream_size: usize, service: *const u8, service_size: usize,
        method: *const u8, method_size: usize, metadata: *const u8, metadata_size: usize, token: *mut u32);
    fn proxy_grpc_send(token: u32, message: *const u8, size: usize, end: u32);
    fn proxy_grpc_cancel(token: u32);
    fn proxy_grpc_close(token: u32);
    fn proxy_call_foreign_function(name: *const u8, name_size: usize, arguments: *const u8, arguments_size: usize,
        results: *mut *mut u8, results_size: *mut usize);
    fn proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32);
    fn proxy_increment_metric(id: u32, offset: i64);
    fn proxy_record_metric(id: u32, value: u64);
}

#[cfg(target_arch = "wasm32")]
#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    pub(super) fn random_get(bytes: *mut u8, size: usize) -> u32;
}
#[cfg(not(target_arch = "wasm32"))]
pub(super) unsafe fn random_get(_: *mut u8, _: usize) -> u32 {
    UNIMPLEMENTED
}

/// Where the host puts what it answers; [`take_answer`] is the other half.
///
/// Returns null when there is no memory; the host then fails the call that needed it.
#[cfg(any(target_arch = "wasm32", test))]
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // SAFETY: the layout's size is not zero.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        _ => null_mut(),
    }
}

/// A status, and the bytes that `call` made the host write.
pub(super) fn take_answer(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Status> {
    let (mut data, mut size) = (null_mut(), 0);
    check(call(&raw mut data, &raw mut size))?;
    if data.is_null() || size == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: on success the host hands over memory it got from `proxy_on_memory_allocate(size)`, filled, and forgets it:
    // allocated by the global allocator with alignment 1 and this very size, owned by nobody else.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_hands_over_is_owned_as_it_is() {
        let answer = take_answer(|data, size| {
            let memory = proxy_on_memory_allocate(3);
            // SAFETY: three bytes were just allocated, and both places are `take_answer`'s own.
            unsafe {
                memory.copy_from_nonoverlapping(b"abc".as_ptr(), 3);
                data.write(memory);
                size.write(3);
            }
            0
        });
        assert_eq!(answer, Ok(b"abc".to_vec()));
    }

    #[test]
    fn an_answer_without_memory_is_empty_and_a_status_is_a_value() {
        assert_eq!(take_answer(|_, _| 0), Ok(vec![]));
        assert_eq!(take_answer(|_, _| 7), Err(Status::Other(7)));
        assert_eq!(take_answer(|_, _| 1), Err(Status::NotFound));
        assert!(proxy_on_memory_allocate(0).is_null());
        assert!(proxy_on_memory_allocate(usize::MAX).is_null());
    }
}
