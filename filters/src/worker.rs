//! What every context of one VM shares: one VM per worker thread of the host, both filters in it.

/// The memory that the router and the translator of one worker have in common.
#[derive(Debug, Default)]
pub struct Worker {
    /// Name of the cluster behind which the control plane answers.
    control_plane: String,
    /// Streams whose wait is over, by their context.
    woken: Vec<u32>,
}

impl Worker {
    /// Takes the VM's configuration: the name of the control plane's cluster. False when it is no name.
    pub fn start(&mut self, configuration: &[u8]) -> bool {
        let Ok(name) = str::from_utf8(configuration.trim_ascii()) else { return false };
        self.control_plane = name.to_owned();
        !name.is_empty()
    }

    /// Name of the cluster behind which the control plane answers.
    pub fn control_plane(&self) -> &str {
        &self.control_plane
    }

    /// Has `on_wake` of this stream called when the current callback returns; a stream that is gone is left alone.
    pub fn wake(&mut self, stream: u32) {
        self.woken.push(stream);
    }

    /// The streams to wake now.
    pub(crate) fn take_woken(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.woken)
    }
}
