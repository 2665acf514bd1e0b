//! Selects jemalloc as the program's memory allocator.
//!
//! The C library's allocator returns memory to the system only from the ends of its heaps, where some allocations stay
//! alive. After a thousand streams it therefore keeps most of their memory, and more after each further thousand.
//! jemalloc returns any page that has been free for a while, from a thread that otherwise sleeps
//! (`background_threads`). `.cargo/config.toml` sets jemalloc's options.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;
