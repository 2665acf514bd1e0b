//! The memory allocator. After a thousand streams the C library's keeps most of what they took, and a little more each
//! time: it returns the ends of its heaps alone, and something lives there. jemalloc returns any page that has been free for
//! a while, by a thread that sleeps as long as there is none (`background_threads`). How it is set: `.cargo/config.toml`.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;
