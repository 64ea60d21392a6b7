//! Whether this processor has AES instructions.
//! Touches: processor identification.   Never: anything else.
//! Invariants: `false` where nobody can tell.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below, against the standard library's own look at the processor.

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

#[cfg(test)]
mod tests {
    extern crate std;

    #[test]
    fn the_processor_is_judged_as_the_standard_library_judges_it() {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        let expected = std::is_x86_feature_detected!("aes")
            && std::is_x86_feature_detected!("pclmulqdq")
            && std::is_x86_feature_detected!("sse2");
        #[cfg(target_arch = "aarch64")]
        let expected = std::arch::is_aarch64_feature_detected!("aes");
        #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
        let expected = false;
        assert_eq!(super::aes_hardware(), expected);
    }
}
