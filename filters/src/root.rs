//! The root context of a filter: learns the filter's role.

use crate::dispatch::Role;
use crate::worker::Worker;

/// One per filter configuration and VM.
#[derive(Debug)]
pub struct Root {
    role: Option<Role>,
}

impl Root {
    /// A root context that has no configuration yet.
    pub fn new(_id: u32) -> Self {
        Root { role: None }
    }

    /// Which filter this is, once its configuration was taken.
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// Takes the filter's configuration; false refuses it.
    pub fn on_configure(&mut self, _worker: &mut Worker, configuration: &[u8]) -> bool {
        self.role = Role::read(configuration);
        self.role.is_some()
    }

    /// Time has passed.
    pub fn on_tick(&mut self, _worker: &mut Worker) {}

    /// A message of a call or stream of ours.
    pub fn on_grpc_message(&mut self, _worker: &mut Worker, _token: u32, _message: &[u8]) {}

    /// The end of a call or stream of ours, by a gRPC status code; or of one that never began and has an unknown token.
    pub fn on_grpc_close(&mut self, _worker: &mut Worker, _token: u32, _status: u32) {}

    /// The filter's configuration is gone.
    pub fn on_done(&mut self, _worker: &mut Worker) {}
}
