//! Runs a program to its end and collects its output.

use std::{io, time::Duration};

use rustix::process::Signal;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time,
};

use crate::{Exit, Launch, Spawner, process::Process};

/// The maximum number of bytes kept of each stream; the rest is read and dropped.
const MAX_KEPT_BYTES: usize = 1024 * 1024;

/// Longest wait for a killed program. It is reaped later if the kernel takes longer.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);

/// The output and exit of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramOutput {
    /// The program's exit.
    pub exit: Exit,
    /// The beginning of its stdout, at most a mebibyte.
    pub stdout: Vec<u8>,
    /// The beginning of its stderr, at most a mebibyte.
    pub stderr: Vec<u8>,
}

/// The reason for which a program did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunProgramError {
    /// The exec shim could not be started. The shim itself reports, on stderr, a program that it cannot
    /// execute.
    #[error("cannot start the exec shim: {0}; check the installation and the resource limits")]
    Spawn(#[source] io::Error),
    /// The program was killed because it took longer than this.
    #[error("the program did not exit within {} s", .0.as_secs_f32())]
    Slow(Duration),
    /// The program was killed because the caller no longer needs its output.
    #[error("cancelled: its output is no longer needed")]
    Cancelled,
}

impl Spawner {
    /// Runs a program to its end and returns its output. Its stdin is empty, and like every child it ends with
    /// this process. If `cancelled` ends first, the program is killed with its group and reaped before this
    /// returns; dropping the future kills them too, and does not wait.
    ///
    /// # Errors
    ///
    /// The program cannot be started, or has not ended and closed its output within `limit` or before
    /// `cancelled`.
    pub async fn run_program(
        &self,
        launch: Launch,
        limit: Duration,
        cancelled: impl Future<Output = ()>,
    ) -> Result<ProgramOutput, RunProgramError> {
        let mut process = self.spawn(launch).await.map_err(RunProgramError::Spawn)?;
        process.close_stdin();
        let answered = tokio::select! {
            biased;
            answer = collect_output(&mut process) => Ok(answer),
            () = cancelled => Err(RunProgramError::Cancelled),
            () = time::sleep(limit) => Err(RunProgramError::Slow(limit)),
        };
        if answered.is_err() {
            process.note_descendants().await;
            process.signal(Signal::KILL);
            // If it survives, its drop tries again and leaves it to be reaped.
            if time::timeout(KILL_TIMEOUT, process.wait()).await.is_err() {
                return answered;
            }
        }
        process.kill_group().await.kill().await;
        answered
    }
}

async fn collect_output(process: &mut Process) -> ProgramOutput {
    let (stdout, stderr) = process.take_output();
    let (exit, stdout, stderr) =
        tokio::join!(process.wait(), read_start(stdout), read_start(stderr));
    ProgramOutput {
        exit,
        stdout,
        stderr,
    }
}

/// Reads a stream to its end and keeps its first bytes.
async fn read_start(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else {
        return kept;
    };
    let mut piece = [0; 4096];
    loop {
        // An error counts as the end.
        let length = stream.read(&mut piece).await.unwrap_or(0);
        if length == 0 {
            return kept;
        }
        let room = MAX_KEPT_BYTES - kept.len();
        kept.extend_from_slice(&piece[..length.min(room)]);
    }
}
