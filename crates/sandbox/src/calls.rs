//! System calls: what no part of our programs ever asks the kernel for is refused to all of them. seccomp(2).
//! Touches: the filter of every thread of this process.   Never: a call that carries payload.
//! Invariants: one row for each refused call; what is not in the table stays allowed, so that a new C library runs.
//! Errors: none; a kernel without filters is reported.   Allocates: the programs, once.
//! Proved by: `tests` below, `tests/refusals.rs`.
//!
//! A list of what is refused, not of what is allowed: names are looked up by whatever modules the host has configured,
//! in our process, and with calls that nobody can list. What is refused ends an attack, not a program: starting
//! programs, looking into other processes, memory that is both written and executed, and the parts of the kernel
//! that are only there for administrators, where most of its own holes have been.

use crate::{Force, Policy};
use libc::{
    AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, CLONE_THREAD, EPERM, PROT_EXEC, PROT_WRITE, SOCK_RAW,
};
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};
use std::collections::BTreeMap;

/// No program of ours, no C library and no name service asks for these: whoever does has taken the process over.
const BACK_DOORS: &[i64] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // The kernel itself.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    libc::SYS_syslog,
    // The system.
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_quotactl,
    libc::SYS_vhangup,
    // Views of the file system.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_setns,
    libc::SYS_unshare,
];

/// Without programs to start, these are not needed either; a library that tries them learns that it may not.
const REFUSED: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    libc::SYS_chroot,
    libc::SYS_personality,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
];

/// What C libraries do without on older kernels. A filter cannot see what these are asked to do: clone3 keeps it in
/// memory, io_uring does it without a call.
const UNKNOWN: &[i64] = &[
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// A value of one of a call's arguments.
struct Argument {
    place: u8,
    is: SeccompCmpOp,
    value: u64,
}

const fn argument(place: u8, is: SeccompCmpOp, value: u64) -> Argument {
    Argument { place, is, value }
}

const fn is(place: u8, value: i32) -> Argument {
    argument(place, SeccompCmpOp::Eq, value as u64)
}

const fn is_not(place: u8, value: i32) -> Argument {
    argument(place, SeccompCmpOp::Ne, value as u64)
}

/// The bits of `mask` are as in `value`.
const fn bits(place: u8, mask: i32, value: i32) -> Argument {
    argument(place, SeccompCmpOp::MaskedEq(mask as u64), value as u64)
}

/// The kinds of sockets, without what is or-ed to them.
const SOCK_TYPE_MASK: i32 = 0xf;

/// Puts bytes into a terminal's input, as if its user had typed them; the console's own way to; its line discipline.
const TIOCSTI: i32 = 0x5412;
const TIOCLINUX: i32 = 0x541C;
const TIOCSETD: i32 = 0x5423;

/// Refused where all the arguments of a row are so.
const REFUSED_IF: &[(i64, &[Argument])] = &[
    // Processes; threads are fine.
    (libc::SYS_clone, &[bits(0, CLONE_THREAD, 0)]),
    // Memory that is executed is loaded from libraries, and never written.
    (libc::SYS_mmap, &[bits(2, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC)]),
    (libc::SYS_mprotect, &[bits(2, PROT_EXEC, PROT_EXEC)]),
    (libc::SYS_pkey_mprotect, &[bits(2, PROT_EXEC, PROT_EXEC)]),
    // Sockets of the internet and of this host; of netlink the part that knows this host's addresses; no raw packets.
    (
        libc::SYS_socket,
        &[is_not(0, AF_INET), is_not(0, AF_INET6), is_not(0, AF_UNIX), is_not(0, AF_NETLINK)],
    ),
    (libc::SYS_socket, &[is(0, AF_NETLINK), is_not(2, libc::NETLINK_ROUTE)]),
    (libc::SYS_socket, &[is(0, AF_INET), bits(1, SOCK_TYPE_MASK, SOCK_RAW)]),
    (libc::SYS_socket, &[is(0, AF_INET6), bits(1, SOCK_TYPE_MASK, SOCK_RAW)]),
    (libc::SYS_ioctl, &[is(1, TIOCSTI)]),
    (libc::SYS_ioctl, &[is(1, TIOCLINUX)]),
    (libc::SYS_ioctl, &[is(1, TIOCSETD)]),
];

/// The same calls by the numbers of x32, which run on x86-64 and pass for its own.
#[cfg(target_arch = "x86_64")]
mod x32 {
    pub(super) const BIT: i64 = 0x4000_0000;
    /// Those whose numbers differ: ioctl, execve, ptrace, kexec_load, process_vm_readv, process_vm_writev, execveat.
    pub(super) const OWN: &[i64] = &[514, 520, 521, 528, 539, 540, 545];
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Puts the filters in force for all threads.
pub(crate) fn restrict(policy: &Policy) -> Force {
    let filters = if policy.programs { with_programs() } else { without_programs() };
    let applied = filters
        .and_then(|filters| filters.iter().try_for_each(|filter| apply_filter_all_threads(filter)));
    match applied {
        Ok(()) => Force::Full,
        Err(error) => Force::None(error.to_string()),
    }
}

fn without_programs() -> Result<Vec<BpfProgram>, Error> {
    Ok(vec![
        program(refused()?, SeccompAction::Errno(EPERM as u32))?,
        program(always(UNKNOWN), SeccompAction::Errno(libc::ENOSYS as u32))?,
        // The last, so that the others can still be put in force; the strictest answer of all of them counts.
        program(always(BACK_DOORS), SeccompAction::KillProcess)?,
    ])
}

/// A program that is started may try what it is not allowed to anyway.
fn with_programs() -> Result<Vec<BpfProgram>, Error> {
    Ok(vec![program(always(BACK_DOORS), SeccompAction::Errno(EPERM as u32))?])
}

fn program(rules: Rules, answer: SeccompAction) -> Result<BpfProgram, Error> {
    let here = TargetArch::try_from(std::env::consts::ARCH).map_err(Error::Backend)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, here);
    filter.and_then(TryInto::try_into).map_err(Error::Backend)
}

fn always(calls: &[i64]) -> Rules {
    let mut rules = Rules::new();
    for call in calls {
        for number in numbers(*call) {
            rules.insert(number, Vec::new());
        }
    }
    #[cfg(target_arch = "x86_64")]
    for number in x32::OWN {
        rules.insert(x32::BIT | number, Vec::new());
    }
    rules
}

fn refused() -> Result<Rules, Error> {
    let mut rules = always(REFUSED);
    for (call, arguments) in REFUSED_IF {
        for number in numbers(*call) {
            rules.entry(number).or_default().push(rule(arguments).map_err(Error::Backend)?);
        }
    }
    Ok(rules)
}

fn rule(arguments: &[Argument]) -> Result<SeccompRule, seccompiler::BackendError> {
    // The kernel reads the lower half alone of all of these.
    let condition = |argument: &Argument| {
        let Argument { place, is, value } = argument;
        SeccompCondition::new(*place, SeccompCmpArgLen::Dword, is.clone(), *value)
    };
    SeccompRule::new(arguments.iter().map(condition).collect::<Result<_, _>>()?)
}

/// All numbers a call goes by.
fn numbers(call: i64) -> impl Iterator<Item = i64> {
    #[cfg(target_arch = "x86_64")]
    return [call, x32::BIT | call].into_iter();
    #[cfg(not(target_arch = "x86_64"))]
    return [call].into_iter();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_compiles_and_is_short_enough_for_the_kernel() {
        for filter in without_programs().unwrap().iter().chain(&with_programs().unwrap()) {
            assert!(!filter.is_empty() && filter.len() < 4096, "{}", filter.len());
        }
    }

    #[test]
    fn no_call_is_in_two_tables() {
        let mut all: Vec<i64> = [BACK_DOORS, REFUSED, UNKNOWN].concat();
        all.extend(
            REFUSED_IF.iter().map(|(call, _)| *call).collect::<std::collections::BTreeSet<_>>(),
        );
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
