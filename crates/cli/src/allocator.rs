//! Selects jemalloc. After a thousand streams the C library's allocator keeps most of their memory, and more each time: it
//! returns only the ends of its heaps, where some allocations live on. jemalloc returns any page that has been free for a
//! while, by a thread that otherwise sleeps (`background_threads`). `.cargo/config.toml` sets its options.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;
