// JavaScript WebSocket client example
const ws = new WebSocket('ws://localhost:8765');
ws.onopen = function(event) {
console.log('WebSocket connection established');
// Send heartbeat
setInterval(() => {
ws.send(JSON.stringify({
action: 'ping',
timestamp: Date.now()
}));
}, 30000);
};
ws.onmessage = function(event) {
const data = JSON.parse(event.data);
console.log('Message received:', data);
// Handle task confirmation
if (data.type === 'task_step_result') {
const proceed = confirm(data.message);
ws.send(JSON.stringify({
action: 'confirm',
callback_id: data.callback_id,
proceed: proceed,
feedback: proceed ? 'Agree to continue' : 'Cancel execution'
}));
}
};
ws.onclose = function(event) {
console.log('WebSocket connection closed');
};
