//! The one place of this crate with `unsafe`: advice to the processor and to the kernel about memory. No state, no logic.

/// Hints that the element at `index` will be used soon. An index out of range is ignored.
#[inline(always)]
pub fn prefetch<T>(slice: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(element) = slice.get(index) {
        // SAFETY: the pointer comes from a live reference; a prefetch reads nothing that the program can see.
        unsafe {
            use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(element).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, index);
}

/// Allocations below this gain nothing from large pages.
const LARGE_BYTES: usize = 4 << 20;

/// Asks for large pages for a newly allocated vector: far fewer page faults, and hardly a TLB miss in random reads. If the kernel has none,
/// nothing changes.
pub fn advise_large_pages<T>(memory: &Vec<T>) {
    #[cfg(target_os = "linux")]
    {
        let bytes = memory.capacity() * size_of::<T>();
        if bytes < LARGE_BYTES {
            return;
        }
        // The advice covers the whole pages within the allocation.
        let start = (memory.as_ptr() as usize).next_multiple_of(PAGE_BYTES);
        let end = memory.as_ptr() as usize + bytes;
        // SAFETY: the range is within one live allocation, and the advice changes none of its contents.
        unsafe {
            libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}

#[cfg(target_os = "linux")]
const PAGE_BYTES: usize = 4096;
