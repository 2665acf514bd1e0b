//! Runs a test with sockets on a paused clock, which advances only when no socket has anything to deliver.
//!
//! tokio advances a paused clock each time its runtime parks and is not woken meanwhile, even if that park finds
//! sockets that are ready. So the runtime is woken before each park that follows a poll of a task: such a park
//! only looks at the sockets.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::pin;
use std::task::{Poll, Waker};
use tokio::task::{JoinHandle, LocalSet};

thread_local! {
    /// A task has been polled since the last park.
    static HAS_POLLED: Cell<bool> = const { Cell::new(false) };
    /// Waker of the runtime.
    static RUNTIME: RefCell<Waker> = RefCell::new(Waker::noop().clone());
}

/// Runs a test on a worker's kind of runtime.
pub(crate) fn run<T: 'static>(test: impl Future<Output = T> + 'static) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .on_thread_park(|| {
            if HAS_POLLED.take() {
                RUNTIME.with_borrow(Waker::wake_by_ref);
            }
        })
        .build()
        .unwrap();
    let root = async {
        poll_fn(|cx| Poll::Ready(RUNTIME.replace(cx.waker().clone()))).await;
        spawn(test).await
    };
    let done = LocalSet::new().block_on(&runtime, root);
    done.unwrap_or_else(|failed| resume_unwind(failed.into_panic()))
}

/// Spawns a task whose polls hold the clock.
pub(super) fn spawn<T: 'static>(task: impl Future<Output = T> + 'static) -> JoinHandle<T> {
    tokio::task::spawn_local(async {
        let mut task = pin!(task);
        poll_fn(|cx| {
            HAS_POLLED.set(true);
            task.as_mut().poll(cx)
        })
        .await
    })
}
