"""The pins of the reference wiring, a Raspberry Pi Pico or Pico 2: one table for board, boot.py and docs/hardware.md.

Every GPIO of the module's edge is in use. The trigger's two lines come in by two ways. A pin that drives is low when
safe, and low while the chip is in reset: what it drives needs it high. Inputs have their pull-ups outside, because an
RP2350's own pull-down does not hold (RP2350-E9). The expander has its inputs on port A and its outputs on port B; its
reset is the chip's RUN.
"""

IN, OUT, ANALOGUE, BUS = range(4)
"""How a pin is used: read, driven, measured, or given to a UART or I2C."""

TMC_TX, TMC_RX = 0, 1
DRIVE_STEP, DRIVE_DIR, DEPTH_STEP, DEPTH_DIR, PLUNGER_STEP, PLUNGER_DIR = 2, 3, 4, 5, 6, 7
FRAM_SDA, FRAM_SCL = 8, 9
SENSE_SDA, SENSE_SCL = 10, 11
ENCODER_A, ENCODER_B = 12, 13
PERMIT_PLUNGER, PERMIT_DRIVE = 14, 15
DEADMAN, ARM_PLUNGER, ARM_DRIVE, MOTOR_ENABLE = 16, 17, 18, 19
TRIGGER_A, BUZZER = 20, 21
DEPTH_HOME, CARRIER, INDEX, EXPANDER_INT = 22, 26, 27, 28

TABLE = (
    ("TMC_TX", TMC_TX, BUS, "", "UART0 TX, 1 kOhm to the drivers' PDN_UART"),
    ("TMC_RX", TMC_RX, BUS, "up", "UART0 RX, PDN_UART of all three drivers"),
    ("DRIVE_STEP", DRIVE_STEP, OUT, "down", "needle drive, STEP, from PIO"),
    ("DRIVE_DIR", DRIVE_DIR, OUT, "down", "needle drive, DIR, from PIO"),
    ("DEPTH_STEP", DEPTH_STEP, OUT, "down", "depth stop, STEP, from PIO"),
    ("DEPTH_DIR", DEPTH_DIR, OUT, "down", "depth stop, DIR, from PIO"),
    ("PLUNGER_STEP", PLUNGER_STEP, OUT, "down", "plunger, STEP, from PIO"),
    ("PLUNGER_DIR", PLUNGER_DIR, OUT, "down", "plunger, DIR, from PIO"),
    ("FRAM_SDA", FRAM_SDA, BUS, "up", "I2C0 at 1 MHz: FRAM 0x50"),
    ("FRAM_SCL", FRAM_SCL, BUS, "up", "I2C0"),
    ("SENSE_SDA", SENSE_SDA, BUS, "up", "I2C1 at 400 kHz: expander 0x20, bridge 0x2A, gauge 0x36, 1-Wire 0x18"),
    ("SENSE_SCL", SENSE_SCL, BUS, "up", "I2C1"),
    ("ENCODER_A", ENCODER_A, IN, "up", "plunger's linear encoder, to PIO"),
    ("ENCODER_B", ENCODER_B, IN, "up", "plunger's linear encoder, to PIO"),
    ("PERMIT_PLUNGER", PERMIT_PLUNGER, IN, "", "latch of the plunger's permit: high permits"),
    ("PERMIT_DRIVE", PERMIT_DRIVE, IN, "", "gate of the drive's permit: high permits"),
    ("DEADMAN", DEADMAN, OUT, "down", "from PIO: high while fed"),
    ("ARM_PLUNGER", ARM_PLUNGER, OUT, "down", "rising: sets the plunger's latch; low: clears it"),
    ("ARM_DRIVE", ARM_DRIVE, OUT, "down", "high: the drive may begin a revolution"),
    ("MOTOR_ENABLE", MOTOR_ENABLE, OUT, "down", "rising: sets the motor power's latch (ENN); low: clears it"),
    ("TRIGGER_A", TRIGGER_A, IN, "up", "trigger line A: low while pressed"),
    ("BUZZER", BUZZER, OUT, "down", "sound, from PWM"),
    ("DEPTH_HOME", DEPTH_HOME, IN, "up", "depth stop's switch: low at home"),
    ("CARRIER", CARRIER, ANALOGUE, "", "ADC0: linear Hall sensor of the needle carrier"),
    ("INDEX", INDEX, IN, "up", "Hall switch of the drive: low at top dead centre"),
    ("EXPANDER_INT", EXPANDER_INT, IN, "up", "expander's interrupt: low until it is read"),
)
"""Name, GPIO, use, resistor outside, what is wired."""
DRIVEN = tuple([gpio for _, gpio, use, _, _ in TABLE if use == OUT])
READ = tuple([gpio for _, gpio, use, _, _ in TABLE if use != OUT])
"""GPIOs that drive, and all others: what a board keeps of the table, which is for people."""

EXPANDER = (
    ("A0", "CONTACT", "skin contact: low while on skin"),
    ("A1", "ESTOP", "emergency stop: high while pressed, or its wire broken"),
    ("A2", "SYRINGE", "low while a syringe is in place"),
    ("A3", "CARTRIDGE", "low while a cartridge is in place"),
    ("A4", "DRIVER_FAULT", "the drivers' DIAG, any: high at a fault"),
    ("A5", "MOTOR_POWER", "latch of the motor power: high while on"),
    ("A6", "INGRESS", "low while wet"),
    ("A7", "TRIGGER_B", "trigger line B: low while pressed"),
    ("B0", "RED", "light"),
    ("B1", "GREEN", "light"),
    ("B2", "BLUE", "light"),
    ("B3", "AWAY", "high: the plunger's permit wants the nose off skin"),
    ("B4", "", "free"),
    ("B5", "", "free"),
    ("B6", "", "free"),
    ("B7", "", "free"),
)
"""Bit, name, what is wired."""
