//! The books of a process: the CPU it used, the memory it has, where it may run.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// A process of this machine that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// Its id.
    pub pid: u32,
}

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

impl Process {
    /// The child of this process that runs a program of this name.
    pub fn child_of(parent: u32, program: &str) -> anyhow::Result<Self> {
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // pid (name) state parent …; a name may hold spaces and brackets.
            let Some((head, tail)) = stat.rsplit_once(") ") else { continue };
            let ours = tail.split(' ').nth(1).and_then(|id| id.parse().ok()) == Some(parent);
            if ours && head.ends_with(&format!("({program}")) {
                return Ok(Self { pid });
            }
        }
        bail!("process {parent} has no child `{program}`")
    }

    /// CPU time of all its threads, those that ended too, in the kernel's resolution of nanoseconds.
    ///
    /// The ticks in `/proc` are 10 ms long, too coarse for short rounds; this is the clock that
    /// `clock_getcpuclockid(3)` names.
    pub fn cpu(self) -> anyhow::Result<Duration> {
        // The kernel's encoding of "scheduler's clock of this process".
        let clock = (!i32::try_from(self.pid)? << 3) | 2;
        let mut time = Timespec { seconds: 0, nanoseconds: 0 };
        // SAFETY: `time` is a valid timespec of 64-bit Linux that lives through the call; a wrong clock is an error code.
        let result = unsafe { clock_gettime(clock, &raw mut time) };
        if result != 0 {
            bail!("the CPU clock of process {}: {}", self.pid, std::io::Error::last_os_error());
        }
        Ok(Duration::new(u64::try_from(time.seconds)?, u32::try_from(time.nanoseconds)?))
    }

    /// Resident memory, in bytes.
    pub fn resident(self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    }

    /// Keeps all its threads, those to come too, on one core; gives back whether `taskset` did so.
    pub fn pin(self, core: usize) -> bool {
        let (core, pid) = (core.to_string(), self.pid.to_string());
        let taskset = Command::new("taskset").args(["-a", "-c", "-p", &core, &pid]).stdout(Stdio::null()).status();
        taskset.is_ok_and(|status| status.success())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_process_moves_with_its_work() {
        let process = Process { pid: std::process::id() };
        let before = process.cpu().expect("a clock");
        let mut sum = 0_u64;
        while process.cpu().expect("a clock") < before + Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(process.resident().expect("memory") > 0);
    }
}
