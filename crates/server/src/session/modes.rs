//! Encoded terminal modes, applied to a terminal's settings. RFC 4254 §8, RFC 8160.
//! Touches: `Termios`, a value.   Never: the terminal.
//! Invariants: any bytes are taken; what is unknown or cut off ends or changes nothing.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below.

use rustix::termios::{
    ControlModes, InputModes, LocalModes, OutputModes, SpecialCodeIndex as Code, Termios,
};

/// TTY_OP_END
const END: u8 = 0;
/// TTY_OP_ISPEED, TTY_OP_OSPEED
const INPUT_SPEED: u8 = 128;
const OUTPUT_SPEED: u8 = 129;
/// Opcodes from here on are not defined; they and their arguments end the list.
const UNDEFINED: u8 = 160;
/// The character of a function that is off.
const DISABLED: u32 = 255;

/// Applies every mode in the list.
pub(super) fn apply(modes: &[u8], termios: &mut Termios) {
    let mut rest = modes;
    while let [opcode, argument @ ..] = rest {
        let Some((argument, after)) = argument.split_first_chunk::<4>() else { return };
        if matches!(*opcode, END | UNDEFINED..) {
            return;
        }
        apply_one(*opcode, u32::from_be_bytes(*argument), termios);
        rest = after;
    }
}

fn apply_one(opcode: u8, argument: u32, termios: &mut Termios) {
    match opcode {
        1..=18 => set_character(opcode, argument, termios),
        30..=42 => set_flag(&INPUT, opcode, argument, &mut termios.input_modes),
        50..=62 => set_flag(&LOCAL, opcode, argument, &mut termios.local_modes),
        70..=75 => set_flag(&OUTPUT, opcode, argument, &mut termios.output_modes),
        90..=93 => set_control(opcode, argument, &mut termios.control_modes),
        // A speed the system does not know leaves the one there is.
        INPUT_SPEED => drop(termios.set_input_speed(argument)),
        OUTPUT_SPEED => drop(termios.set_output_speed(argument)),
        _ => {}
    }
}

fn set_character(opcode: u8, argument: u32, termios: &mut Termios) {
    let Some((_, code)) = CHARACTERS.iter().find(|(number, _)| *number == opcode) else { return };
    let character = if argument == DISABLED { 0 } else { argument };
    if let Ok(character) = u8::try_from(character) {
        termios.special_codes[*code] = character;
    }
}

/// Sets or clears the flag of an opcode.
fn set_flag<F: Copy + std::ops::BitOrAssign + std::ops::Sub<Output = F>>(
    table: &[(u8, F)],
    opcode: u8,
    argument: u32,
    flags: &mut F,
) {
    if let Some((_, flag)) = table.iter().find(|(number, _)| *number == opcode) {
        if argument == 0 {
            *flags = *flags - *flag;
        } else {
            *flags |= *flag;
        }
    }
}

/// The character sizes are values of one field: only a size that is asked for is set.
fn set_control(opcode: u8, argument: u32, modes: &mut ControlModes) {
    match opcode {
        90 | 91 if argument == 0 => {}
        90 => *modes = (*modes - ControlModes::CSIZE) | ControlModes::CS7,
        91 => *modes = (*modes - ControlModes::CSIZE) | ControlModes::CS8,
        92 => modes.set(ControlModes::PARENB, argument != 0),
        _ => modes.set(ControlModes::PARODD, argument != 0),
    }
}

const CHARACTERS: [(u8, Code); 15] = [
    (1, Code::VINTR),
    (2, Code::VQUIT),
    (3, Code::VERASE),
    (4, Code::VKILL),
    (5, Code::VEOF),
    (6, Code::VEOL),
    (7, Code::VEOL2),
    (8, Code::VSTART),
    (9, Code::VSTOP),
    (10, Code::VSUSP),
    (12, Code::VREPRINT),
    (13, Code::VWERASE),
    (14, Code::VLNEXT),
    (16, Code::VSWTC),
    (18, Code::VDISCARD),
];

const INPUT: [(u8, InputModes); 13] = [
    (30, InputModes::IGNPAR),
    (31, InputModes::PARMRK),
    (32, InputModes::INPCK),
    (33, InputModes::ISTRIP),
    (34, InputModes::INLCR),
    (35, InputModes::IGNCR),
    (36, InputModes::ICRNL),
    (37, InputModes::IUCLC),
    (38, InputModes::IXON),
    (39, InputModes::IXANY),
    (40, InputModes::IXOFF),
    (41, InputModes::IMAXBEL),
    (42, InputModes::IUTF8),
];

const LOCAL: [(u8, LocalModes); 13] = [
    (50, LocalModes::ISIG),
    (51, LocalModes::ICANON),
    (52, LocalModes::XCASE),
    (53, LocalModes::ECHO),
    (54, LocalModes::ECHOE),
    (55, LocalModes::ECHOK),
    (56, LocalModes::ECHONL),
    (57, LocalModes::NOFLSH),
    (58, LocalModes::TOSTOP),
    (59, LocalModes::IEXTEN),
    (60, LocalModes::ECHOCTL),
    (61, LocalModes::ECHOKE),
    (62, LocalModes::PENDIN),
];

const OUTPUT: [(u8, OutputModes); 6] = [
    (70, OutputModes::OPOST),
    (71, OutputModes::OLCUC),
    (72, OutputModes::ONLCR),
    (73, OutputModes::OCRNL),
    (74, OutputModes::ONOCR),
    (75, OutputModes::ONLRET),
];

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pty::{OpenptFlags, openpt};
    use rustix::termios::tcgetattr;

    /// The settings of a new terminal: `Termios` has no other maker.
    fn fresh() -> Termios {
        tcgetattr(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap()).unwrap()
    }

    fn encode(modes: &[(u8, u32)]) -> Vec<u8> {
        let mut out: Vec<u8> = modes
            .iter()
            .flat_map(|(opcode, argument)| std::iter::once(*opcode).chain(argument.to_be_bytes()))
            .collect();
        out.push(END);
        out
    }

    #[test]
    fn characters_flags_and_speeds_are_set_and_cleared() {
        let mut termios = fresh();
        let modes = [
            (1, 7),
            (10, 255),
            (36, 0),
            (42, 1),
            (53, 0),
            (58, 1),
            (72, 0),
            (73, 1),
            (90, 1),
            (92, 1),
            (128, 9600),
            (129, 19200),
        ];
        apply(&encode(&modes), &mut termios);
        assert_eq!(termios.special_codes[Code::VINTR], 7);
        assert_eq!(termios.special_codes[Code::VSUSP], 0);
        assert!(!termios.input_modes.contains(InputModes::ICRNL));
        assert!(termios.input_modes.contains(InputModes::IUTF8));
        assert!(!termios.local_modes.contains(LocalModes::ECHO));
        assert!(termios.local_modes.contains(LocalModes::TOSTOP));
        assert!(!termios.output_modes.contains(OutputModes::ONLCR));
        assert!(termios.output_modes.contains(OutputModes::OCRNL));
        assert_eq!(termios.control_modes & ControlModes::CSIZE, ControlModes::CS7);
        assert!(termios.control_modes.contains(ControlModes::PARENB));
        assert_eq!((termios.input_speed(), termios.output_speed()), (9600, 19200));
    }

    #[test]
    fn the_size_of_a_character_follows_the_flag_that_is_set() {
        let mut termios = fresh();
        apply(&encode(&[(90, 1), (91, 1)]), &mut termios);
        assert_eq!(termios.control_modes & ControlModes::CSIZE, ControlModes::CS8);
        apply(&encode(&[(90, 0), (91, 0)]), &mut termios);
        assert_eq!(termios.control_modes & ControlModes::CSIZE, ControlModes::CS8);
    }

    #[test]
    fn nothing_behind_the_end_or_an_undefined_opcode_counts() {
        for ending in [END, UNDEFINED, 255] {
            let mut termios = fresh();
            apply(&encode(&[(ending, 0), (53, 0)]), &mut termios);
            assert!(termios.local_modes.contains(LocalModes::ECHO), "{ending}");
        }
    }

    #[test]
    fn an_unknown_opcode_is_passed_over() {
        let mut termios = fresh();
        apply(&encode(&[(29, 1), (100, 5), (150, 9), (53, 0)]), &mut termios);
        assert!(!termios.local_modes.contains(LocalModes::ECHO));
    }

    #[test]
    fn any_bytes_are_taken() {
        proptest::proptest!(|(modes: Vec<u8>)| apply(&modes, &mut fresh()));
    }
}
