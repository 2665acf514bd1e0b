//! Tests of what inspections, loads and failures teach about a model.

use super::*;
use crate::child_failure::RestartDecision;
use crate::fixture::{failed_load, failure, inspection};
use crate::inspection::ModelInspection;
use paddock_scheduler::InstanceStatus;
use paddock_supervisor::FailureClass;
use std::path::PathBuf;
use std::time::Duration;

fn files(path: &str) -> FileIdentity {
    FileIdentity::from_paths(&[PathBuf::from(path)]).unwrap()
}

fn inspected(path: &str, is_proven: bool) -> Arc<ModelInspection> {
    let mut inspection = inspection();
    inspection.files = Some(files(path));
    inspection.demand.is_proven = is_proven;
    Arc::new(inspection)
}

fn outcome(class: FailureClass, opens_breaker: bool) -> FailureOutcome {
    FailureOutcome {
        failure: failed_load(class, "it failed").failure,
        command_status: None,
        decision: RestartDecision::GiveUp,
        is_first: false,
        until: None,
        opens_breaker,
        ends_instance: true,
        status: InstanceStatus::Stopped,
    }
}

#[test]
fn a_good_inspection_ends_a_fault_of_files_and_may_prove_them() {
    for is_proven in [false, true] {
        let mut knowledge = ModelKnowledge::default();
        let mut failed = failed_load(FailureClass::BadFile, "it is empty");
        failed.files = Some(files("/"));
        knowledge.learn(Err(failed)).is_new_failure();
        assert!(knowledge.failed.is_some() && knowledge.inspection.is_none());
        let result = knowledge.learn(Ok(inspected("/", is_proven)));
        let InspectionOutcome::Loadable(demand) = result else {
            panic!("{result:?}");
        };
        assert_eq!(demand.is_proven, is_proven);
        assert!(knowledge.failed.is_none() && knowledge.inspection.is_some());
        assert_eq!(knowledge.proven, is_proven.then(|| files("/")));
    }
}

impl InspectionOutcome {
    /// Returns true if the failure is new.
    fn is_new_failure(&self) -> bool {
        match self {
            Self::Unloadable { is_new, .. } => *is_new,
            Self::Loadable(_) => panic!("{self:?}"),
        }
    }
}

#[test]
fn a_good_inspection_keeps_a_failure_that_is_not_the_files_fault() {
    let mut knowledge = ModelKnowledge {
        failed: Some(failed_load(FailureClass::Crashed, "it crashed")),
        ..ModelKnowledge::default()
    };
    knowledge.learn(Ok(inspected("/", false)));
    assert!(knowledge.failed.is_some());
}

#[test]
fn unproven_files_leave_proven_ones_known() {
    let mut knowledge = ModelKnowledge::default();
    knowledge.learn(Ok(inspected("/", true)));
    knowledge.learn(Ok(inspected("/proc", false)));
    assert_eq!(knowledge.proven, Some(files("/")));
}

#[test]
fn the_same_fault_is_new_once() {
    let mut knowledge = ModelKnowledge::default();
    let mut is_new = |message| {
        let failed = failed_load(FailureClass::BadFile, message);
        knowledge.learn(Err(failed)).is_new_failure()
    };
    let found = ["a", "a", "b"].map(&mut is_new);
    assert_eq!(found, [true, false, true]);
    let last = &knowledge.failed.unwrap().failure.cause.message;
    assert_eq!(last, "b");
}

#[test]
fn a_ready_child_proves_its_files_and_ends_failures() {
    let mut knowledge = ModelKnowledge::default();
    knowledge.learn(Ok(inspected("/", false)));
    knowledge.record_failure(&outcome(FailureClass::Crashed, true));
    knowledge.record_ready();
    assert!(knowledge.failed.is_none() && !knowledge.is_breaker_open());
    assert_eq!(knowledge.proven, Some(files("/")));
}

#[test]
fn a_failure_is_the_files_fault_if_no_retry_can_help() {
    for (class, expected) in [
        (FailureClass::BadFile, Some(files("/"))),
        (FailureClass::Crashed, None),
    ] {
        let mut knowledge = ModelKnowledge::default();
        knowledge.learn(Ok(inspected("/", false)));
        let until = Some(Instant::now());
        let outcome = FailureOutcome {
            until,
            ..outcome(class, false)
        };
        knowledge.record_failure(&outcome);
        // The failure is known, and the same reason in a later inspection is no news.
        let cause = failure(class, "it failed");
        assert!(!knowledge.failure_dedup.is_new_cause(&cause), "{class}");
        let failed = knowledge.failed.unwrap();
        assert_eq!(failed.files, expected, "{class}");
        assert_eq!(failed.failure, outcome.failure);
        assert_eq!(failed.until, until);
    }
}

#[test]
fn a_breaker_stays_open_until_a_child_is_ready_or_the_configuration_changes() {
    let mut knowledge = ModelKnowledge::default();
    assert!(!knowledge.is_breaker_open());
    knowledge.record_failure(&outcome(FailureClass::Crashed, false));
    assert!(!knowledge.is_breaker_open());
    knowledge.record_failure(&outcome(FailureClass::Crashed, true));
    knowledge.record_failure(&outcome(FailureClass::Crashed, false));
    assert!(knowledge.is_breaker_open());
    knowledge.forget_failures();
    assert!(!knowledge.is_breaker_open() && knowledge.failed.is_none());
    let cause = failure(FailureClass::Crashed, "it failed");
    assert!(knowledge.failure_dedup.is_new_cause(&cause));
}

#[test]
fn the_schedulers_retry_time_fills_an_unknown_one() {
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let mut knowledge = ModelKnowledge::default();
    knowledge.record_retry(at(1));
    assert!(knowledge.failed.is_none());
    knowledge.record_failure(&outcome(FailureClass::OutOfMemory, false));
    knowledge.record_retry(at(2));
    knowledge.record_retry(at(3));
    let failed = knowledge.failed.unwrap();
    assert_eq!(failed.failure.retry_at, Some(at(2)));
}
