//! Tests of what an instance's states mean.

use super::*;
use paddock_supervisor::{Address, ChildProcesses, Exit, InstanceMarker};
use std::time::{Duration, SystemTime};

const SERVE: InstanceFacts = InstanceFacts {
    ready: None,
    mode: Mode::Serve,
    awaits_command: false,
};

const WRAP: InstanceFacts = InstanceFacts {
    ready: None,
    mode: Mode::Wrap {
        router: false,
        is_launched: false,
    },
    awaits_command: true,
};

fn listener() -> Listener {
    let marker = InstanceMarker::new().unwrap();
    Listener {
        address: Address::Unix("/run/p/m-1/s.sock".into()),
        processes: ChildProcesses::new("m".into(), 7, marker),
    }
}

fn failure(class: FailureClass, phase: ChildPhase) -> Arc<Failure> {
    Arc::new(Failure {
        class,
        phase,
        exit: Some(Exit::Code(3)),
        message: "it failed".to_owned(),
        log_tail: Vec::new(),
    })
}

/// Returns the time, and the same five seconds later on both clocks.
fn times() -> (Clock, Instant, SystemTime) {
    let clock = Clock::now();
    let delay = Duration::from_secs(5);
    (clock, clock.monotonic + delay, clock.wall + delay)
}

#[test]
fn a_loading_child_is_reported_with_its_address_once_it_answers() {
    for listening in [None, Some(listener())] {
        let state = State::Starting {
            pid: 7,
            generation: 4,
            since: Instant::now(),
            progress: None,
            listening: listening.clone(),
        };
        let change = StateChange::from_state(&state, SERVE, Clock::now());
        let StateChange::Loading {
            generation,
            listener,
        } = change
        else {
            panic!("{change:?}");
        };
        assert_eq!(generation, 4);
        let address = |listener: &Listener| listener.address.clone();
        assert_eq!(listener.map(address), listening.as_ref().map(address));
    }
}

#[test]
fn a_child_becomes_ready_once() {
    for (ready, expected) in [(None, true), (Some(3), true), (Some(4), false)] {
        let state = State::Ready {
            pid: 7,
            generation: 4,
            since: Instant::now(),
            listener: listener(),
            hang_evidence: None,
        };
        let facts = InstanceFacts { ready, ..SERVE };
        match StateChange::from_state(&state, facts, Clock::now()) {
            StateChange::Ready { generation, .. } => assert!(expected && generation == 4),
            change => assert!(!expected && matches!(change, StateChange::LivenessChanged)),
        }
    }
}

#[test]
fn the_end_of_an_instance_is_no_failure() {
    let clock = Clock::now();
    let change = |state| {
        matches!(
            StateChange::from_state(&state, SERVE, clock),
            StateChange::Stopping
        )
    };
    assert!(change(State::Stopping { pid: 7 }));
    let stopped = StateChange::from_state(&State::Stopped, SERVE, clock);
    assert!(matches!(stopped, StateChange::Stopped));
}

fn outcome(state: &State, facts: InstanceFacts, clock: Clock) -> FailureOutcome {
    match StateChange::from_state(state, facts, clock) {
        StateChange::Failed(outcome) => outcome,
        change => panic!("{change:?}"),
    }
}

#[test]
fn a_child_that_is_restarted_keeps_its_instance() {
    let (clock, until, at) = times();
    for (attempt, is_first) in [(0, true), (1, true), (2, false)] {
        let cause = failure(FailureClass::Crashed, ChildPhase::Ready);
        let state = State::Backoff {
            failure: Arc::clone(&cause),
            attempt,
            left: 3,
            until,
        };
        let expected = FailureOutcome {
            failure: LoadFailure {
                cause,
                retry_at: Some(at),
                restarts_left: 3,
            },
            command_status: None,
            decision: RestartDecision::Restart { at, left: 3 },
            is_first,
            until: None,
            opens_breaker: false,
            ends_instance: false,
            status: InstanceStatus::Restarting {
                at: until.into_std(),
            },
        };
        assert_eq!(outcome(&state, SERVE, clock), expected);
    }
}

#[test]
fn a_child_that_is_not_restarted_ends_its_instance() {
    let (clock, until, at) = times();
    for (retry_at, retry, decision) in [
        (None, None, RestartDecision::GiveUp),
        (
            Some(until),
            Some(at),
            RestartDecision::BreakerOpen { until: at },
        ),
    ] {
        let cause = failure(FailureClass::Crashed, ChildPhase::Starting);
        let state = State::Failed {
            failure: Arc::clone(&cause),
            retry_at,
        };
        let expected = FailureOutcome {
            failure: LoadFailure {
                cause,
                retry_at: retry,
                restarts_left: 0,
            },
            command_status: None,
            decision,
            is_first: false,
            until: retry_at,
            opens_breaker: retry_at.is_some(),
            ends_instance: true,
            status: InstanceStatus::Failed {
                until: retry_at.map(Instant::into_std),
            },
        };
        assert_eq!(outcome(&state, SERVE, clock), expected);
    }
}

#[test]
fn the_scheduler_decides_after_a_load_that_ran_out_of_memory() {
    let (clock, until, _) = times();
    let out_of_memory = FailureClass::OutOfMemory;
    for (facts, class, phase, expected) in [
        (SERVE, out_of_memory, ChildPhase::Starting, true),
        (SERVE, out_of_memory, ChildPhase::Spawn, true),
        (SERVE, out_of_memory, ChildPhase::Ready, false),
        (SERVE, FailureClass::Crashed, ChildPhase::Starting, false),
        (WRAP, out_of_memory, ChildPhase::Starting, false),
    ] {
        let failure = failure(class, phase);
        let backoff = State::Backoff {
            failure: Arc::clone(&failure),
            attempt: 1,
            left: 3,
            until,
        };
        let failed = State::Failed {
            failure,
            retry_at: Some(until),
        };
        for state in [backoff, failed] {
            let outcome = outcome(&state, facts, clock);
            let decides = outcome.decision == RestartDecision::SchedulerDecides;
            assert_eq!(decides, expected, "{state:?}");
            let status = outcome.status == InstanceStatus::OutOfMemory;
            assert_eq!(status, expected, "{state:?}");
            assert_eq!(outcome.failure.retry_at.is_none(), expected, "{state:?}");
            let ends = expected || matches!(state, State::Failed { .. });
            assert_eq!(outcome.ends_instance, ends, "{state:?}");
        }
    }
}

#[test]
fn a_command_that_never_served_ends_paddock() {
    let (clock, until, _) = times();
    let has_served = InstanceFacts {
        awaits_command: false,
        ..WRAP
    };
    let crashed = FailureClass::Crashed;
    for (facts, class, status) in [
        (WRAP, crashed, Some(3)),
        (has_served, crashed, None),
        // A restart can help.
        (WRAP, FailureClass::AddressInUse, None),
    ] {
        let failure = failure(class, ChildPhase::Starting);
        let backoff = State::Backoff {
            failure: Arc::clone(&failure),
            attempt: 1,
            left: 3,
            until,
        };
        let after_backoff = outcome(&backoff, facts, clock);
        assert_eq!(after_backoff.command_status, status, "{class}");
        let gives_up = after_backoff.decision == RestartDecision::GiveUp;
        assert_eq!(gives_up, status.is_some(), "{class}");
        assert_eq!(after_backoff.ends_instance, status.is_some(), "{class}");
        let failed = State::Failed {
            failure,
            retry_at: None,
        };
        let after_failure = outcome(&failed, facts, clock);
        assert_eq!(after_failure.command_status, status, "{class}");
    }
}

#[test]
fn a_generation_saturates() {
    assert_eq!(to_generation(7), Generation(7));
    assert_eq!(to_generation(u64::MAX), Generation(u32::MAX));
}
