//! What the standard library gives other guests: memory, and an end for panics.

use alloc::alloc::{Layout, alloc, realloc};
use core::arch::wasm32::unreachable;
use core::panic::PanicInfo;
use dlmalloc::GlobalDlmalloc;

#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    unreachable()
}

/// Where the host puts texts and lists that it returns: the canonical ABI asks for this export.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(
    old: *mut u8,
    old_len: usize,
    align: usize,
    len: usize,
) -> *mut u8 {
    // SAFETY: by the canonical ABI `align` is a power of two, `len` is not 0, and `old` is from here.
    unsafe {
        let layout =
            Layout::from_size_align_unchecked(if old_len == 0 { len } else { old_len }, align);
        if old_len == 0 {
            alloc(layout)
        } else {
            realloc(old, layout, len)
        }
    }
}
