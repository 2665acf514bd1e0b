//! One fault at one moment, from the start to the end.

use std::fmt;
use std::time::Duration;

use paddock_e2e::harness::{LIMIT, Paddock, Pid, Signal, WATCH_TIME, now, wait_for, wait_until};
use paddock_e2e::paddock;

use crate::fault::{Fault, Repair, descriptors};
use crate::moment::{self, Moment};
use crate::seen::{self, Client};

/// What became of it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) moment: Moment,
    pub(crate) fault: Fault,
    /// What the client saw.
    pub(crate) client: String,
    /// What followed.
    pub(crate) then: Then,
    /// How long it took until then.
    pub(crate) took: Duration,
}

/// What follows a fault.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The same child serves on.
    ServesOn,
    /// Another child serves.
    AnotherChild,
    /// paddock has ended with this code.
    Ended(i32),
    /// paddock is gone, and the next one finds what is left of it.
    Swept,
}

impl fmt::Display for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServesOn => f.write_str("the same child serves"),
            Self::AnotherChild => f.write_str("another child serves"),
            Self::Ended(code) => write!(f, "paddock has ended with {code}"),
            Self::Swept => f.write_str("no process is left; the next start removes the directory"),
        }
    }
}

/// Plays it. Panics where anything is left behind, or does not follow in time.
pub(crate) fn play(moment: Moment, fault: Fault) -> Row {
    let mut paddock = fault.start(moment.builder(fault, paddock!()));
    let client = moment.reach(&paddock);
    let before = moment.has_child().then(|| paddock.child());
    let open = descriptors(&paddock).count();
    let begun = now();
    let repair = fault.strike(&mut paddock);
    let (client, then) = match fault {
        Fault::Killed | Fault::Panics | Fault::InterruptedTwice => {
            let then = gone(&mut paddock, fault.limit(moment));
            let seen = client.map(seen::outcome);
            (seen, then)
        }
        Fault::Terminated => {
            moment.release(&paddock);
            let seen = client.map(seen::outcome);
            (seen, gone(&mut paddock, fault.limit(moment)))
        }
        _ => survive(&paddock, moment, client, repair, before),
    };
    let took = begun.elapsed();
    assert!(
        took <= fault.limit(moment),
        "it took {took:?}: {client:?}, {then:?}"
    );
    if paddock.exit_status().is_none() {
        // A child that was not there before has some.
        if before.is_some() {
            wait_until(LIMIT, "every descriptor to be closed", || {
                descriptors(&paddock).count() <= open
            });
        }
        assert!(paddock.stop(Signal::TERM).success());
    }
    assert_eq!(paddock.leftovers(), [""; 0]);
    if then == Then::Swept {
        assert_swept(&paddock);
    }
    Row {
        moment,
        fault,
        client: client.unwrap_or_else(|| "—".to_owned()),
        then,
        took,
    }
}

/// paddock goes on: first what the client sees that was there, or the next one where there was none,
/// then who serves.
fn survive(
    paddock: &Paddock,
    moment: Moment,
    client: Option<Client>,
    repair: Repair,
    before: Option<Pid>,
) -> (Option<String>, Then) {
    moment.release(paddock);
    let had_one = client.is_some();
    let mut client = client.unwrap_or_else(|| {
        let mut connection = paddock.connect();
        connection.send(moment::whole());
        Client {
            connection,
            head: None,
        }
    });
    let served = had_one && moment != Moment::Loading && moment != Moment::Backoff;
    let waits = repair.ends_service() && !served;
    if waits {
        // Who has no connection to a child yet cannot be served before it is over.
        assert!(
            !client.connection.is_closed_within(WATCH_TIME),
            "it is sent away"
        );
    }
    let mut repair = Some(repair);
    if let Some(repair) = repair.take_if(|_| waits) {
        repair.carry_out(paddock);
    }
    let seen = seen::outcome(client);
    if let Some(repair) = repair {
        repair.carry_out(paddock);
    }
    let after = wait_for(2 * LIMIT, "an answer to the next request", || {
        let answer = paddock.connect().try_ask(moment::whole()).ok()?;
        (answer.status == 200).then(|| paddock.child())
    });
    let then = match before {
        Some(before) if before == after => Then::ServesOn,
        _ => Then::AnotherChild,
    };
    (Some(seen), then)
}

/// paddock ends, in time, and no process of it is left.
fn gone(paddock: &mut Paddock, limit: Duration) -> Then {
    let status = paddock.wait_exit(limit);
    wait_for(limit, "the end of every process", || {
        paddock.processes().is_empty().then_some(())
    });
    status.code().map_or(Then::Swept, Then::Ended)
}

/// Another paddock at the same place removes what was left there.
fn assert_swept(gone: &Paddock) {
    assert_eq!(gone.runtime_directories().len(), 1, "it had a directory");
    let mut next = paddock!()
        .config(&format!(
            "server.state_dir = {:?}\nserver.runtime_dir = {:?}",
            gone.directory().join("state"),
            gone.directory()
        ))
        .start();
    assert_eq!(gone.runtime_directories().len(), 1, "its own is left");
    assert!(next.stop(Signal::TERM).success());
    assert_eq!(gone.runtime_directories().len(), 0);
}
