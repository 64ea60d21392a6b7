//! Files and ports: what Landlock is told. landlock(7).
//! Touches: the rights of this thread and of those it starts.   Never: what a file holds.
//! Invariants: every right that the newest kernel we know can take away is asked to be taken away.
//! Errors: none; an older kernel does what it can.   Allocates: a rule at a time.
//! Proved by: `tests/refusals.rs`.

use crate::{Force, Policy, Ports, names};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    path_beneath_rules,
};
use std::path::Path;

/// The newest version whose rights we know; kernels that know fewer do what they can.
const NEWEST: ABI = ABI::V6;

/// What every program may read: it is nobody's secret.
const HARMLESS: [&str; 3] = ["/dev/null", "/dev/urandom", "/dev/random"];

/// Takes away all rights to files and ports but those of the policy.
pub(crate) fn restrict(policy: &Policy) -> Force {
    if policy.programs {
        return Force::None("programs that are started would inherit it".to_owned());
    }
    match landlocked(policy) {
        Ok(RulesetStatus::FullyEnforced) => Force::Full,
        Ok(RulesetStatus::PartiallyEnforced) => Force::Partial,
        Ok(RulesetStatus::NotEnforced) => Force::None("no Landlock in this kernel".to_owned()),
        Err(error) => Force::None(error.to_string()),
    }
}

fn landlocked(policy: &Policy) -> Result<RulesetStatus, RulesetError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?;
    if !policy.signals {
        rules = rules.scope(Scope::Signal)?;
    }
    for (ports, right) in ports(policy) {
        if *ports != Ports::Any {
            rules = rules.handle_access(right)?;
        }
    }
    let mut rules = rules.create()?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    rules = beneath(rules, HARMLESS, read | AccessFs::WriteFile)?;
    rules = beneath(rules, &policy.read, read)?;
    rules = beneath(rules, &policy.write, written(read))?;
    rules = beneath(rules, &policy.sockets, AccessFs::MakeSock | AccessFs::RemoveFile)?;
    if policy.names {
        rules = beneath(rules, names::places(), read)?;
    }
    for (ports, right) in ports(policy) {
        let Ports::Only(ports) = ports else { continue };
        for port in ports {
            rules = rules.add_rule(NetPort::new(*port, right))?;
        }
    }
    Ok(rules.restrict_self()?.ruleset)
}

fn ports(policy: &Policy) -> [(&Ports, AccessNet); 2] {
    [(&policy.bind, AccessNet::BindTcp), (&policy.connect, AccessNet::ConnectTcp)]
}

fn written(read: BitFlags<AccessFs>) -> BitFlags<AccessFs> {
    read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile
}

/// Paths that are not there are left out.
fn beneath<P: AsRef<Path>>(
    rules: RulesetCreated,
    paths: impl IntoIterator<Item = P>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    rules.add_rules(path_beneath_rules(paths, access))
}
