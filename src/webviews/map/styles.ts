/** The look of the map view, beyond what drawings share (plot/styles.ts). Colours are theme tokens only. */
export const MAP_CSS = `
`;
