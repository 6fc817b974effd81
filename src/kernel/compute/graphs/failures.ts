/** How work on a device fails, as its callers see it. */

/** The device has no room for what was asked: fewer rows at a time may fit. */
export class DeviceMemoryError extends RangeError {
  override name = 'DeviceMemoryError';
}

/** The device, or the process that holds it, is gone; the next call starts it anew. */
export class DeviceLostError extends Error {
  override name = 'DeviceLostError';
}
