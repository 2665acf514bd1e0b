//! What clients and operators see while the child loads, dies and is stopped.

#[cfg(test)]
mod crash;
#[cfg(test)]
mod crash_loop;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod few_threads;
#[cfg(test)]
mod helpers;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod left_behind;
#[cfg(test)]
mod loading;
#[cfg(all(test, debug_assertions))]
mod panics;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod stop;
