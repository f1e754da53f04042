package broker

// DoorWidth is doorWidth.
const DoorWidth = doorWidth
