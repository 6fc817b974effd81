/** Version of the kernel, as in package.json; a test compares the two. */
export const KERNEL_VERSION = '0.5.0';
