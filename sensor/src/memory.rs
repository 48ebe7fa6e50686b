//! Configures how the allocator returns memory: one call at the start of a program.

/// From this size on, an allocation is its own mapping, bytes. Smaller ones are reused: at 128 KiB, a day of 24 hours cost seven times as
/// many page faults and half as much time again.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_BYTES: libc::c_int = 4 << 20;
/// From this many free bytes on, the end of the heap goes back to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const TRIMMED_BYTES: libc::c_int = 16 << 20;
/// Heaps that threads share. Each keeps up to [`TRIMMED_BYTES`] that nothing uses; glibc makes eight for each processor, and with 8 workers
/// those of a flood held 180 MiB. What is hot allocates nothing, so threads seldom meet at a heap.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS_MAX: libc::c_int = 4;

/// Makes large freed allocations go back to the system at once.
///
/// glibc raises its threshold for mappings to the size of the largest one that was freed (mallopt(3), `M_MMAP_THRESHOLD`): tables of
/// some MiB then come from the heap, where one small block behind them keeps all of it. Under a flood of mixed kinds that held several
/// hundred MiB that nothing used. A threshold that is set stays as it is.
pub fn return_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (parameter, value) in [
        (libc::M_MMAP_THRESHOLD, MAPPED_BYTES),
        (libc::M_TRIM_THRESHOLD, TRIMMED_BYTES),
        (libc::M_ARENA_MAX, HEAPS_MAX),
    ] {
        // SAFETY: mallopt takes two numbers, and may be called at any time; if it fails, nothing changes.
        let _ = unsafe { libc::mallopt(parameter, value) };
    }
}
