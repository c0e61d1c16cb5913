//! The machine that is lent: what it is, and how it is doing.

use std::sync::atomic::{AtomicU64, Ordering};

use protocol::socket::{Hardware, Metrics};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, get_current_pid};

const MB: f64 = 1024.0 * 1024.0;

/// Measures the machine, whenever asked; on a system that cannot be measured it says nothing.
pub(crate) struct Machine {
    system: Option<System>,
    pid: Option<Pid>,
}

/// The most memory that the agent was seen to use, in bytes.
static PEAK: AtomicU64 = AtomicU64::new(0);

impl Machine {
    /// Looks at the machine for the first time.
    pub(crate) fn new() -> (Self, Hardware) {
        let mut hardware = Hardware {
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            cores: cores() as u32,
            ..Hardware::default()
        };
        let mut system = System::new().ok();
        if let Some(system) = &mut system {
            system.refresh_cpu_all();
            system.refresh_memory();
            hardware.cpu =
                system.cpus().first().map(|cpu| cpu.brand().trim().to_owned()).unwrap_or_default();
            hardware.memory_mb = system.total_memory() / MB as u64;
        }
        let mut machine = Self { system, pid: get_current_pid().ok() };
        machine.metrics();
        (machine, hardware)
    }

    /// How the machine is doing since the last look.
    pub(crate) fn metrics(&mut self) -> Metrics {
        let Some(system) = &mut self.system else { return Metrics::default() };
        system.refresh_cpu_usage();
        let mut memory = 0;
        if let Some(pid) = self.pid {
            let kind = ProcessRefreshKind::nothing().with_memory();
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
            memory = system.process(pid).map_or(0, sysinfo::Process::memory);
        }
        PEAK.fetch_max(memory, Ordering::Relaxed);
        Metrics {
            cpu_percent: f64::from(system.global_cpu_usage()),
            memory_mb: memory as f64 / MB,
            ..Metrics::default()
        }
    }
}

/// The most memory that the agent was seen to use, in MB; looked at with every heartbeat.
pub(crate) fn peak_memory_mb() -> f64 {
    PEAK.load(Ordering::Relaxed) as f64 / MB
}

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
