//! A child that serves: watched by its exit alone, until requests wait for it.

use tokio::time::{Duration, Instant};

use super::{Actor, Ending, Run, wished};
use crate::{
    State, probe,
    vigil::{self, Suspicion, Vigil},
    wish::Wish,
};

impl Actor {
    /// Waits for the end of a child that is ready, and watches it while requests wait for it.
    pub(super) async fn serving(&mut self, run: &mut Run, since: Instant) -> Ending {
        let doubts = self.spec.doubts.clone();
        doubts.renew();
        let mut seen = doubts.subscribe();
        let mut vigil = Vigil::new(self.spec.vigil, doubts.look());
        let limit = self.spec.vigil.probe;
        let ask = |delay| probe::health(delay, limit, run.listener.clone());
        let probing = ask(Duration::ZERO);
        tokio::pin!(probing);
        let (mut begun, mut ran) = (Instant::now(), run.process.ran());
        let mut thought = vigil::Verdict::Fine;
        self.serves(run, since, None);
        loop {
            let doubted = vigil.is_doubted();
            let answered = tokio::select! {
                biased;
                exit = run.process.wait() => return Ending::Exited(exit),
                () = wished(&mut self.wish, Wish::Stop) => return Ending::Wished,
                // The sender is the spec's.
                _ = seen.changed() => None,
                answered = &mut probing, if doubted => Some(answered),
            };
            let (now, level) = (Instant::now(), doubts.look());
            let sign = match answered {
                None => vigil::Sign::Seen(level),
                Some(true) => vigil::Sign::Answered(level),
                Some(false) => vigil::Sign::Missed {
                    seen: level,
                    ran: run.process.ran().saturating_sub(ran),
                    took: now - begun,
                },
            };
            let verdict = vigil.handle(sign, now);
            if verdict != thought {
                thought = verdict;
                match verdict {
                    vigil::Verdict::Fine => self.serves(run, since, None),
                    vigil::Verdict::Suspect(why) => self.serves(run, since, Some(why)),
                    vigil::Verdict::Hung(why) => return Ending::Hung(why),
                }
            }
            if answered.is_some() || !doubted {
                let delay = if answered == Some(true) {
                    limit
                } else {
                    Duration::ZERO
                };
                probing.set(ask(delay));
                (begun, ran) = (now + delay, run.process.ran());
            }
        }
    }

    fn serves(&self, run: &Run, since: Instant, suspicion: Option<Suspicion>) {
        self.state.publish(State::Ready {
            pid: run.process.id(),
            generation: self.generation,
            since,
            listener: run.listener.clone(),
            suspicion: suspicion.map(|why| why.to_string().into()),
        });
    }
}
