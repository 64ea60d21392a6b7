//! Whether this processor has AES instructions.
//! Touches: processor identification.   Never: anything else.
//! Invariants: `false` where nobody can tell.
//! Errors: none.   Allocates: never.
//! Proved by: nothing to prove; either answer only orders a list.

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
cpufeatures::new!(instructions, "aes", "pclmulqdq");
#[cfg(target_arch = "aarch64")]
cpufeatures::new!(instructions, "aes");

/// Whether AES-GCM runs on instructions of its own here.
#[cfg(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64"))]
pub fn aes_hardware() -> bool {
    instructions::get()
}

/// Whether AES-GCM runs on instructions of its own here.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
pub fn aes_hardware() -> bool {
    false
}
