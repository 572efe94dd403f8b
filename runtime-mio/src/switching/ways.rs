//! The ways of a context's connections, and which of them one connection may take.

use std::sync::Arc;

use ferromq_wire::{Features, SwitchWay};

use super::fabric::from_environment;
use super::{Fabric, FabricError, Plan, Switched, Switching};
use crate::Options;
use crate::io::Transports;

/// All ways of a context's connections.
#[derive(Default)]
pub(crate) struct Ways {
    machine: Option<Arc<Plan>>,
    fabric: Option<Result<Arc<Plan>, FabricError>>,
    /// Of sockets that do not say it.
    default: Fabric,
}

/// Those that one connection may take.
#[derive(Clone, Default)]
pub(crate) struct Routes {
    machine: Option<Arc<Plan>>,
    fabric: Option<Arc<Plan>>,
    /// What the socket asks for, and what stands in its way.
    asked: Fabric,
    missing: Option<FabricError>,
}

impl Ways {
    pub(crate) fn new(
        switchings: [Option<Switching>; 2],
        default: Option<Fabric>,
        transports: &Transports,
    ) -> Self {
        let [machine, fabric] = switchings.map(|switching| {
            let switching = switching.filter(|it| !it.from.is_empty())?;
            Some(plan(switching, transports))
        });
        Self {
            machine: machine
                .and_then(Result::ok)
                .filter(|it| it.ground().is_some()),
            fabric,
            default: default.unwrap_or_else(from_environment),
        }
    }

    /// The fabric that connections can move to.
    pub(crate) fn fabric(&self) -> Result<&Arc<Plan>, FabricError> {
        let plan = self.fabric.as_ref().ok_or(FabricError::NoTransport)?;
        let plan = plan.as_ref().map_err(|cause| *cause)?;
        let scheme = plan.to;
        let ground = plan.ground();
        ground.map(|_| plan).ok_or(FabricError::NoDevice { scheme })
    }

    /// What a socket with these options asks for.
    pub(crate) fn asked(&self, options: &Options) -> Fabric {
        options.fabric.unwrap_or(self.default)
    }

    /// Those of a connection of `endpoint`.
    pub(crate) fn of(&self, endpoint: &str, options: &Options) -> Routes {
        if !options.switch || !options.extensions {
            return Routes::default();
        }
        let machine = self.machine.clone().filter(|plan| plan.concerns(endpoint));
        let asked = match self.asked(options) {
            // What another transport carries does not move.
            _ if !self.moves_over_fabric(endpoint) => Fabric::Unused,
            asked => asked,
        };
        // A device is looked for by those only who ask for one.
        let (fabric, missing) = match (asked != Fabric::Unused).then(|| self.fabric()) {
            None => (None, None),
            Some(Ok(plan)) => (Some(plan.clone()), None),
            Some(Err(cause)) => (None, Some(cause)),
        };
        Routes {
            machine,
            fabric,
            asked,
            missing,
        }
    }

    /// Whether connections of this endpoint would move, had they a device; without a
    /// plan, those that cross networks.
    fn moves_over_fabric(&self, endpoint: &str) -> bool {
        match &self.fabric {
            Some(Ok(plan)) => plan.concerns(endpoint),
            _ => endpoint.starts_with("tcp://"),
        }
    }
}

/// # Errors
/// The environment or the context is against it.
fn plan(switching: Switching, transports: &Transports) -> Result<Arc<Plan>, FabricError> {
    if is_off_by_environment() {
        return Err(FabricError::TurnedOff);
    }
    let transport = transports.by_scheme(switching.to);
    let transport = transport.ok_or(FabricError::NoTransport)?.clone();
    Ok(Arc::new(Plan::new(switching, transport)))
}

impl Routes {
    /// Whether there is any.
    pub(crate) fn is_some(&self) -> bool {
        self.machine.is_some() || self.fabric.is_some()
    }

    /// What to offer to the peer.
    pub(crate) fn features(&self) -> Features {
        match (self.is_some(), &self.fabric) {
            (false, _) => Features::NONE,
            (true, None) => Features::SWITCH,
            (true, Some(_)) => Features::SWITCH | Features::FABRIC,
        }
    }

    /// Those that the peer knows of as well; within a machine none, where both prefer
    /// the fabric.
    pub(crate) fn agreed(mut self, features: Features) -> Self {
        if !features.contains(Features::FABRIC) {
            self.fabric = None;
        } else if self.asked == Fabric::Preferred {
            self.machine = None;
        }
        self
    }

    /// The plan of a way.
    pub(crate) fn plan(&self, way: SwitchWay) -> Option<&Arc<Plan>> {
        match way {
            SwitchWay::Machine => self.machine.as_ref(),
            SwitchWay::Fabric => self.fabric.as_ref(),
        }
    }

    /// Why a connection is not on the fabric that its socket asks for. `features` are
    /// those that are on. `None`: it is, or is on a shorter path, or was refused, which is
    /// told otherwise.
    pub(crate) fn why_not(&self, features: Features, switched: Switched) -> Option<FabricError> {
        let is_near = switched != Switched::No && self.asked != Fabric::Preferred;
        if self.missing.is_some() && !is_near {
            return self.missing;
        }
        let scheme = self
            .fabric
            .as_ref()
            .filter(|_| switched == Switched::No)?
            .to;
        let both = Features::SWITCH | Features::FABRIC;
        Some(match features.contains(both) {
            true => FabricError::NotShared { scheme },
            false => FabricError::PeerWithout { scheme },
        })
    }
}

/// Whether an operator has turned it off for every context of this process.
fn is_off_by_environment() -> bool {
    std::env::var_os("FERROMQ_SWITCH").is_some_and(|value| value == "0")
}
