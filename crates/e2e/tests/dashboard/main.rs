//! The dashboard, in a real browser: what it shows, what its buttons do, and that nothing it shows can act.
//!
//! The pictures that the tests take are in `target/dashboard`.

#[cfg(test)]
mod actions;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod chat;
#[cfg(test)]
mod contexts;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod keyboard;
#[cfg(test)]
mod keyed;
#[cfg(test)]
mod page;
#[cfg(test)]
mod pictures;
#[cfg(test)]
mod pins;
#[cfg(test)]
mod restart;

/// A paddock to start whose model is loaded when somebody asks for it.
#[cfg(test)]
fn idle() -> paddock_e2e::harness::PaddockBuilder {
    paddock_e2e::paddock!().config("models.m.preload = false")
}
